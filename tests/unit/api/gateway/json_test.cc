#include <etcdserverpb/rpc.pb.h>
#include <string>

#include <gtest/gtest.h>

#include "server/api/gateway/base64.h"
#include "server/api/gateway/json_integer.h"
#include "server/api/gateway/json_message.h"
#include "server/api/gateway/json_reader.h"
#include "server/base/random.h"

namespace etcd::api::gateway {
namespace {

using etcdserverpb::RangeRequest;
using etcdserverpb::TxnRequest;
using etcdserverpb::WatchCreateRequest;

// The message that the JSON stands for, or nullopt for an error.
template <typename Message>
std::optional<Message> Read(std::string_view text) {
  JsonReader reader(text);
  JsonValue json;
  Message message;
  if (reader.Next(json) != JsonReader::Outcome::kValue) return std::nullopt;
  if (!FillMessage(json, message).ok()) return std::nullopt;
  return message;
}

std::string Write(const google::protobuf::Message& message) {
  std::string out;
  AppendJson(message, out);
  return out;
}

TEST(JsonReader, ReadsConcatenatedValues) {
  JsonReader reader(" {\"a\":1}\n[true,null] \"x\"  ");
  JsonValue value;
  ASSERT_EQ(reader.Next(value), JsonReader::Outcome::kValue);
  EXPECT_EQ(value.members[0].value.text, "1");
  ASSERT_EQ(reader.Next(value), JsonReader::Outcome::kValue);
  EXPECT_EQ(value.items.size(), 2U);
  ASSERT_EQ(reader.Next(value), JsonReader::Outcome::kValue);
  EXPECT_EQ(value.text, "x");
  EXPECT_EQ(reader.Next(value), JsonReader::Outcome::kEnd);
}

TEST(JsonReader, DecodesEscapes) {
  JsonReader reader(R"("\"\\\/\b\f\n\r\t\u00e9\u20ac\ud83d\ude00")");
  JsonValue value;
  ASSERT_EQ(reader.Next(value), JsonReader::Outcome::kValue);
  EXPECT_EQ(value.text, "\"\\/\b\f\n\r\t\xc3\xa9\xe2\x82\xac\xf0\x9f\x98\x80");
}

TEST(JsonReader, RefusesMalformedText) {
  const std::string deep(500, '[');
  for (const std::string& text :
       {std::string("{"), std::string("{\"a\"}"), std::string("{\"a\":1,}"), std::string("[1,]"),
        std::string("[1 2]"), std::string("\"a"), std::string("\"\n\""), std::string("\"\\x\""),
        std::string("\"\\ud800\""), std::string("\"\\ude00\""), std::string("\"\xff\""),
        std::string("tru"), std::string("-"), std::string("1."), std::string("1e"),
        std::string("+1"), std::string("{a:1}"), deep}) {
    JsonReader reader(text);
    JsonValue value;
    EXPECT_EQ(reader.Next(value), JsonReader::Outcome::kMalformed) << text;
  }
}

TEST(JsonReader, SurvivesMutatedText) {
  base::SeededRandom random(3);
  const std::string text =
      R"({"key":"Zm9v","compare":[{"result":"EQUAL","version":"1"}],"x":[1e3,-0.5]})";
  for (int round = 0; round < 20'000; ++round) {
    std::string mutated = text;
    for (auto n = 1 + random.Below(4); n > 0; --n) {
      mutated[random.Below(mutated.size())] = static_cast<char>(random.Below(256));
    }
    JsonReader reader(mutated);
    JsonValue value;
    if (reader.Next(value) != JsonReader::Outcome::kValue) continue;
    TxnRequest txn;
    if (FillMessage(value, txn).ok()) Write(txn);
  }
}

TEST(JsonInteger, IntegralValuesOfAnySpelling) {
  EXPECT_EQ(ParseInt64("0"), 0);
  EXPECT_EQ(ParseInt64("-0"), 0);
  EXPECT_EQ(ParseInt64("1.0"), 1);
  EXPECT_EQ(ParseInt64("1e0"), 1);
  EXPECT_EQ(ParseInt64("12e2"), 1200);
  EXPECT_EQ(ParseInt64("1500e-2"), 15);
  EXPECT_EQ(ParseInt64("0.00e999999999"), 0);
  EXPECT_EQ(ParseInt64("9223372036854775807"), std::numeric_limits<std::int64_t>::max());
  EXPECT_EQ(ParseInt64("-9223372036854775808"), std::numeric_limits<std::int64_t>::min());
  EXPECT_EQ(ParseUint64("18446744073709551615"), std::numeric_limits<std::uint64_t>::max());
}

TEST(JsonInteger, EverythingElseIsRefused) {
  for (const char* text :
       {"", " 1", "1 ", "1.5", "15e-1", "9223372036854775808", "-9223372036854775809", "1e19",
        "1e999999999", "01", ".5", "1.", "0x1", "+1", "abc", "--1"}) {
    EXPECT_EQ(ParseInt64(text), std::nullopt) << text;
  }
  EXPECT_EQ(ParseUint64("-1"), std::nullopt);
  EXPECT_EQ(ParseUint64("18446744073709551616"), std::nullopt);
}

TEST(Base64, BothAlphabetsAndOptionalPadding) {
  std::string out;
  EXPECT_EQ(EncodeBase64("foob"), "Zm9vYg==");
  EXPECT_EQ(EncodeBase64(std::string("\xfb\xff\x00", 3)), "+/8A");
  for (const char* text : {"Zm9vYg==", "Zm9vYg", "Zm9v\r\nYg=="}) {
    EXPECT_TRUE(DecodeBase64(text, out)) << text;
    EXPECT_EQ(out, "foob");
  }
  EXPECT_TRUE(DecodeBase64("-_8A", out));
  EXPECT_EQ(out, std::string("\xfb\xff\x00", 3));
  for (const char* text : {"A", "Zm9v!", "Zm=9", "Zm9vYg=", "+_AA", "Zm9v===="}) {
    EXPECT_FALSE(DecodeBase64(text, out)) << text;
  }
}

TEST(JsonMessage, BothSpellingsOfANameAreAccepted) {
  EXPECT_EQ(Read<RangeRequest>(R"({"range_end":"YQ=="})")->range_end(), "a");
  EXPECT_EQ(Read<RangeRequest>(R"({"rangeEnd":"YQ=="})")->range_end(), "a");
}

TEST(JsonMessage, FieldGivenTwiceIsAnError) {
  EXPECT_FALSE(Read<RangeRequest>(R"({"key":"YQ==","key":"YQ=="})").has_value());
  EXPECT_FALSE(Read<RangeRequest>(R"({"range_end":"YQ==","rangeEnd":"YQ=="})").has_value());
  EXPECT_TRUE(Read<RangeRequest>(R"({"range_end":null,"rangeEnd":"YQ=="})").has_value());
}

TEST(JsonMessage, TwoMembersOfAOneofAreAnError) {
  EXPECT_FALSE(Read<TxnRequest>(R"({"compare":[{"version":"1","lease":"2"}]})").has_value());
  EXPECT_TRUE(Read<TxnRequest>(R"({"compare":[{"version":"1","lease":null}]})").has_value());
}

TEST(JsonMessage, UnknownFieldsAreIgnoredAndNamesAreCaseSensitive) {
  const auto message = Read<etcdserverpb::LeaseGrantRequest>(R"({"id":5,"x":{"y":[1]},"TTL":9})");
  ASSERT_TRUE(message.has_value());
  EXPECT_EQ(message->id(), 0);
  EXPECT_EQ(message->ttl(), 9);
}

TEST(JsonMessage, NullIsAbsence) {
  const auto message = Read<RangeRequest>(R"({"key":null,"limit":null,"sort_order":null})");
  ASSERT_TRUE(message.has_value());
  EXPECT_EQ(message->ByteSizeLong(), 0U);
}

TEST(JsonMessage, IntegersComeAsStringsOrNumbers) {
  for (const char* text :
       {R"({"limit":3})", R"({"limit":"3"})", R"({"limit":3.0})", R"({"limit":"3e0"})"}) {
    EXPECT_EQ(Read<RangeRequest>(text)->limit(), 3) << text;
  }
  for (const char* text : {R"({"limit":1.5})", R"({"limit":"x"})", R"({"limit":""})",
                           R"({"limit":true})", R"({"limit":9223372036854775808})"}) {
    EXPECT_FALSE(Read<RangeRequest>(text).has_value()) << text;
  }
}

TEST(JsonMessage, EnumsByNameOrNumberAndUnknownNamesAreZero) {
  EXPECT_EQ(Read<RangeRequest>(R"({"sort_order":"DESCEND"})")->sort_order(), RangeRequest::DESCEND);
  EXPECT_EQ(Read<RangeRequest>(R"({"sort_order":2})")->sort_order(), RangeRequest::DESCEND);
  EXPECT_EQ(Read<RangeRequest>(R"({"sort_order":"descend"})")->sort_order(), RangeRequest::NONE);
  EXPECT_EQ(Read<RangeRequest>(R"({"sort_order":"2"})")->sort_order(), RangeRequest::NONE);
  EXPECT_EQ(static_cast<int>(Read<RangeRequest>(R"({"sort_order":7})")->sort_order()), 7);
  EXPECT_FALSE(Read<RangeRequest>(R"({"sort_order":true})").has_value());
  const auto create = Read<WatchCreateRequest>(R"({"filters":["NODELETE","nothing",0]})");
  ASSERT_TRUE(create.has_value());
  ASSERT_EQ(create->filters_size(), 2);
  EXPECT_EQ(create->filters(0), WatchCreateRequest::NODELETE);
}

TEST(JsonMessage, TypesAreStrict) {
  for (const char* text : {R"({"serializable":"true"})", R"({"serializable":1})", R"({"key":1})",
                           R"({"key":"!"})", R"([])", R"("x")", R"(null)", R"(1)"}) {
    EXPECT_FALSE(Read<RangeRequest>(text).has_value()) << text;
  }
  EXPECT_FALSE(Read<TxnRequest>(R"({"compare":{}})").has_value());
  EXPECT_FALSE(Read<TxnRequest>(R"({"compare":[null]})").has_value());
}

TEST(JsonMessage, WritesProtoNamesStringsForInt64AndLeavesZerosOut) {
  etcdserverpb::RangeResponse response;
  response.mutable_header()->set_revision(5);
  response.mutable_header()->set_member_id(10276657743932975437ULL);
  response.add_kvs()->set_key("foo");
  response.mutable_kvs(0)->set_create_revision(2);
  response.set_count(1);
  EXPECT_EQ(Write(response), R"({"header":{"member_id":"10276657743932975437","revision":"5"},)"
                             R"("kvs":[{"key":"Zm9v","create_revision":"2"}],"count":"1"})");
  EXPECT_EQ(Write(etcdserverpb::DefragmentResponse()), "{}");
}

TEST(JsonMessage, WritesHashesAsNumbersAndEnumsAsNames) {
  etcdserverpb::HashKVResponse hash;
  hash.set_hash(4294967295U);
  EXPECT_EQ(Write(hash), R"({"hash":4294967295})");
  etcdserverpb::AlarmResponse alarms;
  alarms.add_alarms()->set_alarm(etcdserverpb::NOSPACE);
  alarms.add_alarms()->set_alarm(static_cast<etcdserverpb::AlarmType>(7));
  EXPECT_EQ(Write(alarms), R"({"alarms":[{"alarm":"NOSPACE"},{"alarm":7}]})");
}

TEST(JsonMessage, WritesTextEscaped) {
  etcdserverpb::StatusResponse status;
  status.add_errors("a\"\\\n\x01z");
  EXPECT_EQ(Write(status), "{\"errors\":[\"a\\\"\\\\\\n\\u0001z\"]}");
}

}  // namespace
}  // namespace etcd::api::gateway
