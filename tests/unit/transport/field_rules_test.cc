#include "server/transport/field_rules.h"

#include <memory>
#include <string>
#include <utility>
#include <vector>

#include <gtest/gtest.h>

#include "tests/unit/transport/h2_client.h"
#include "tests/unit/transport/test_server.h"

namespace etcd::transport {
namespace {

using Fields = H2Client::Fields;
using Verdict = FieldRules::Verdict;

// Which error a stream that broke the rules ends with.
constexpr std::uint32_t kProtocolError = 1;

const Fields kHead = {{":method", "POST"}, {":scheme", "http"}, {":path", "/t.S/Echo"}};

// The verdict on the last field of a list whose others are fine.
Verdict OnLast(const Fields& fields, bool is_head = true) {
  FieldRules rules;
  rules.Begin(is_head);
  Verdict verdict = Verdict::kTake;
  for (const auto& [name, value] : fields) {
    EXPECT_EQ(verdict, Verdict::kTake);
    verdict = rules.Check(name, value);
  }
  return verdict;
}

Verdict AfterHead(const std::string& name, const std::string& value) {
  Fields fields = kHead;
  fields.emplace_back(name, value);
  return OnLast(fields);
}

TEST(FieldRules, AnAuthorityMayBeAWholeUrl) {
  EXPECT_EQ(AfterHead(":authority", "http://127.0.0.1:2379"), Verdict::kTake);
  EXPECT_EQ(AfterHead(":authority", "127.0.0.1:2379"), Verdict::kTake);
  EXPECT_EQ(AfterHead(":authority", ""), Verdict::kMalformed);
  EXPECT_EQ(AfterHead(":authority", "a\r\nb"), Verdict::kMalformed);
}

TEST(FieldRules, PseudoFieldsComeFirstAndOnce) {
  EXPECT_EQ(AfterHead(":path", "/again"), Verdict::kMalformed);
  EXPECT_EQ(AfterHead(":status", "200"), Verdict::kMalformed);
  EXPECT_EQ(AfterHead(":unknown", "x"), Verdict::kMalformed);
  EXPECT_EQ(OnLast({{":method", "GET"}, {"a", "b"}, {":path", "/"}}), Verdict::kMalformed);
  // Also after a field that was left out.
  FieldRules rules;
  rules.Begin(true);
  EXPECT_EQ(rules.Check("b@d", "x"), Verdict::kIgnore);
  EXPECT_EQ(rules.Check(":path", "/"), Verdict::kMalformed);
  EXPECT_EQ(OnLast({{":method", "GE T"}}), Verdict::kMalformed);
  EXPECT_EQ(OnLast({{":path", "/a b"}}), Verdict::kMalformed);
  EXPECT_EQ(OnLast({{":path", ""}}), Verdict::kMalformed);
}

TEST(FieldRules, FieldsOfTheConnectionAreMalformed) {
  for (const std::string name :
       {"connection", "keep-alive", "proxy-connection", "transfer-encoding", "upgrade"}) {
    EXPECT_EQ(AfterHead(name, "x"), Verdict::kMalformed) << name;
  }
  EXPECT_EQ(AfterHead("te", "trailers"), Verdict::kTake);
  EXPECT_EQ(AfterHead("te", "gzip"), Verdict::kMalformed);
}

TEST(FieldRules, OddNamesAndValuesAreLeftOutButForUpperCase) {
  EXPECT_EQ(AfterHead("Upper", "x"), Verdict::kMalformed);
  EXPECT_EQ(AfterHead("sp ace", "x"), Verdict::kIgnore);
  EXPECT_EQ(AfterHead("", "x"), Verdict::kIgnore);
  EXPECT_EQ(AfterHead("a", std::string("x\0y", 3)), Verdict::kIgnore);
  EXPECT_EQ(AfterHead("a", "x\ny"), Verdict::kIgnore);
}

TEST(FieldRules, ContentLengthIsOneNumber) {
  EXPECT_EQ(AfterHead("content-length", "12"), Verdict::kTake);
  for (const std::string value : {"", "-1", "+1", " 1", "1x", "99999999999999999999999"}) {
    EXPECT_EQ(AfterHead("content-length", value), Verdict::kMalformed) << value;
  }
  EXPECT_EQ(OnLast({{"content-length", "1"}, {"content-length", "1"}}), Verdict::kMalformed);
}

TEST(FieldRules, AHeadNeedsMethodSchemeAndPath) {
  for (std::size_t left_out = 0; left_out <= kHead.size(); ++left_out) {
    FieldRules rules;
    rules.Begin(true);
    for (std::size_t i = 0; i < kHead.size(); ++i) {
      if (i == left_out) continue;
      EXPECT_EQ(rules.Check(kHead[i].first, kHead[i].second), Verdict::kTake);
    }
    EXPECT_EQ(rules.IsComplete(true), left_out == kHead.size());
  }
}

TEST(FieldRules, TrailersAreRegularAndLast) {
  EXPECT_EQ(OnLast({{":path", "/"}}, false), Verdict::kMalformed);
  FieldRules rules;
  rules.Begin(false);
  EXPECT_EQ(rules.Check("a", "b"), Verdict::kTake);
  EXPECT_TRUE(rules.IsComplete(true));
  EXPECT_FALSE(rules.IsComplete(false));
}

class FieldRulesOnTheWire : public testing::Test {
 protected:
  void SetUp() override {
    server_.Unary("/t.S/Echo", [](auto, std::string_view request, base::UnaryDone done) {
      done(base::Body(base::Rope(std::string(request))));
    });
    server_.Start();
    client_ = std::make_unique<H2Client>(server_.port);
  }
  H2Client::Stream& Ask(Fields extra, const std::string& body) {
    Fields fields = kHead;
    fields.insert(fields.end(), extra.begin(), extra.end());
    fields.emplace_back("content-type", "application/grpc");
    const std::int32_t id = client_->Request(fields, body);
    EXPECT_TRUE(client_->Finish(id));
    return client_->stream(id);
  }
  TestServer server_;
  std::unique_ptr<H2Client> client_;
};

// Debian's `etcdctl --endpoints=http://... endpoint status`.
TEST_F(FieldRulesOnTheWire, AUrlAsAuthorityIsServed) {
  EXPECT_EQ(Ask({{":authority", "http://127.0.0.1:2379"}}, GrpcMessage("x")).GrpcStatus(), 0);
}

TEST_F(FieldRulesOnTheWire, ABodyHasTheLengthThatWasAnnounced) {
  const std::string body = GrpcMessage("x");
  EXPECT_EQ(Ask({{"content-length", std::to_string(body.size())}}, body).GrpcStatus(), 0);
  for (const std::size_t wrong : {body.size() - 1, body.size() + 1}) {
    const H2Client::Stream& refused = Ask({{"content-length", std::to_string(wrong)}}, body);
    EXPECT_EQ(refused.GrpcStatus(), -1);
    EXPECT_EQ(refused.error_code, kProtocolError);
  }
  EXPECT_EQ(Ask({}, body).GrpcStatus(), 0);  // the connection goes on
}

TEST_F(FieldRulesOnTheWire, AMalformedHeadResetsItsStreamOnly) {
  EXPECT_EQ(Ask({{"connection", "close"}}, GrpcMessage("x")).error_code, kProtocolError);
  EXPECT_EQ(Ask({{"te", "gzip"}}, GrpcMessage("x")).error_code, kProtocolError);
  EXPECT_EQ(Ask({}, GrpcMessage("x")).GrpcStatus(), 0);
}

}  // namespace
}  // namespace etcd::transport
