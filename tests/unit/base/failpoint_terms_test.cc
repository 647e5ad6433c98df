#include "server/base/failpoint_terms.h"

#include <gtest/gtest.h>

namespace etcd::base {
namespace {

using Kind = FailpointAction::Kind;
using std::chrono::milliseconds;

FailpointAction First(const char* text) {
  SeededRandom random(1);
  return FailpointTerms::Parse(text).value().Next(random);
}

TEST(FailpointTerms, PanicAndPrintTakeAText) {
  EXPECT_EQ(First("panic(\"etcd-tester\")").kind, Kind::kPanic);
  EXPECT_EQ(First("panic(\"etcd-tester\")").argument, "etcd-tester");
  EXPECT_EQ(First("panic").argument, "");
  EXPECT_EQ(First("print(\"a)b\")").argument, "a)b");
}

TEST(FailpointTerms, SleepTakesAGoDurationOrMilliseconds) {
  EXPECT_EQ(First("sleep(\"1s\")").sleep, milliseconds(1000));
  EXPECT_EQ(First("sleep(\"1.5s\")").sleep, milliseconds(1500));
  EXPECT_EQ(First("sleep(\"2m30s\")").sleep, std::chrono::seconds(150));
  EXPECT_EQ(First("sleep(\"20ms\")").sleep, milliseconds(20));
  EXPECT_EQ(First("sleep(1000)").sleep, milliseconds(1000));
}

TEST(FailpointTerms, ReturnTakesANumberATextOrABool) {
  EXPECT_EQ(First("return(1)").kind, Kind::kReturn);
  EXPECT_EQ(First("return(1)").argument, "1");
  EXPECT_EQ(First("return(true)").argument, "true");
  EXPECT_EQ(First("return(\"x\")").argument, "x");
  EXPECT_EQ(First("return").kind, Kind::kReturn);
}

TEST(FailpointTerms, ACountEndsATerm) {
  SeededRandom random(1);
  FailpointTerms terms = FailpointTerms::Parse("3*panic").value();
  for (int i = 0; i < 3; ++i) EXPECT_EQ(terms.Next(random).kind, Kind::kPanic);
  EXPECT_EQ(terms.Next(random).kind, Kind::kOff);
  EXPECT_EQ(terms.count(), 3);
}

TEST(FailpointTerms, AChainGoesOnWhereATermEnds) {
  SeededRandom random(1);
  FailpointTerms terms = FailpointTerms::Parse("2*off->1*return(42)->sleep(1)").value();
  EXPECT_EQ(terms.Next(random).kind, Kind::kOff);
  EXPECT_EQ(terms.Next(random).kind, Kind::kOff);
  EXPECT_EQ(terms.Next(random).argument, "42");
  EXPECT_EQ(terms.Next(random).kind, Kind::kSleep);
  EXPECT_EQ(terms.Next(random).kind, Kind::kSleep);
  EXPECT_EQ(terms.count(), 3);
}

TEST(FailpointTerms, APercentageIsAProbability) {
  SeededRandom random(7);
  FailpointTerms terms = FailpointTerms::Parse("25.5%return").value();
  int hits = 0;
  for (int i = 0; i < 10000; ++i) hits += terms.Next(random).kind == Kind::kReturn ? 1 : 0;
  EXPECT_NEAR(hits, 2550, 150);
  FailpointTerms never = FailpointTerms::Parse("0%panic").value();
  for (int i = 0; i < 100; ++i) EXPECT_EQ(never.Next(random).kind, Kind::kOff);
}

TEST(FailpointTerms, CountAndPercentageGoTogether) {
  SeededRandom random(7);
  FailpointTerms terms = FailpointTerms::Parse("50%2*panic").value();
  int hits = 0;
  for (int i = 0; i < 100; ++i) hits += terms.Next(random).kind == Kind::kPanic ? 1 : 0;
  EXPECT_EQ(hits, 2);
}

TEST(FailpointTerms, AnythingElseIsRefused) {
  for (const char* text : {"", "explode", "panic(", "panic(\"x", "panic(\"x\"", "panic(x)", "3*",
                           "3panic", "%panic", "1.5*panic", "sleep", "sleep()", "sleep(\"1x\")",
                           "sleep(\"s\")", "panic->", "->panic", "panic panic", "-1*panic"}) {
    EXPECT_FALSE(FailpointTerms::Parse(text).has_value()) << text;
  }
}

}  // namespace
}  // namespace etcd::base
