#include "server/base/failpoint_registry.h"

#include <gtest/gtest.h>

namespace etcd::base {
namespace {

class FailpointEndpoint : public ::testing::Test {
 protected:
  FailpointEndpoint() {
    registry_.Add("raftBeforeSave");
    registry_.Add("beforeCommit");
  }
  FailpointRegistry registry_;
};

TEST_F(FailpointEndpoint, ListsAllByName) {
  registry_.Set("raftBeforeSave", "sleep(\"1s\")");
  const auto answer = registry_.Serve("GET", "/", "");
  EXPECT_EQ(answer.code, 200);
  EXPECT_EQ(answer.body, "beforeCommit=\nraftBeforeSave=sleep(\"1s\")\n");
}

TEST_F(FailpointEndpoint, SetsTellsAndClearsOne) {
  EXPECT_EQ(registry_.Next("beforeCommit").kind, FailpointAction::Kind::kOff);
  EXPECT_EQ(registry_.Serve("PUT", "/beforeCommit", "1*return(1)").code, 204);
  EXPECT_EQ(registry_.Serve("GET", "/beforeCommit", "").body, "1*return(1)\n");
  EXPECT_EQ(registry_.Next("beforeCommit").kind, FailpointAction::Kind::kReturn);
  EXPECT_EQ(registry_.Serve("GET", "/beforeCommit/count", "").body, "1");
  EXPECT_EQ(registry_.Serve("DELETE", "/beforeCommit", "").code, 204);
  EXPECT_EQ(registry_.Next("beforeCommit").kind, FailpointAction::Kind::kOff);
  EXPECT_EQ(registry_.Serve("GET", "/beforeCommit", "").code, 404);
}

TEST_F(FailpointEndpoint, RefusesWhatItDoesNotKnow) {
  EXPECT_EQ(registry_.Serve("PUT", "/nosuch", "panic").code, 400);
  EXPECT_EQ(registry_.Serve("PUT", "/beforeCommit", "explode").code, 400);
  EXPECT_EQ(registry_.Serve("GET", "/nosuch", "").code, 404);
  EXPECT_EQ(registry_.Serve("DELETE", "/nosuch", "").code, 400);
  EXPECT_EQ(registry_.Serve("POST", "/beforeCommit", "").code, 405);
  EXPECT_EQ(registry_.Serve("GET", "beforeCommit", "").code, 400);
}

TEST_F(FailpointEndpoint, SetsAListAtOnce) {
  EXPECT_EQ(registry_.Serve("PUT", "/failpoints", "beforeCommit=panic;raftBeforeSave=2*off").code,
            204);
  EXPECT_EQ(registry_.Serve("GET", "/", "").body, "beforeCommit=panic\nraftBeforeSave=2*off\n");
  EXPECT_FALSE(registry_.SetAll("nosuch=panic"));
  EXPECT_FALSE(registry_.SetAll("beforeCommit"));
  EXPECT_TRUE(registry_.SetAll(""));
}

}  // namespace
}  // namespace etcd::base
