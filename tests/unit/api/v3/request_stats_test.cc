#include "server/api/v3/request_stats.h"

#include <etcdserverpb/rpc.pb.h>
#include <string>

#include <gtest/gtest.h>

#include "server/base/errc.h"
#include "server/base/log.h"
#include "server/base/status.h"

namespace etcd::api::v3 {
namespace {

// Keeps the fields of the last line.
class LastLine final : public base::LogSink {
 public:
  void Write(const base::LogRecord& record) override {
    level = record.level;
    text = base::FormatLogJson(record);
  }
  base::LogLevel level = base::LogLevel::kInfo;
  std::string text;
};

class RequestStats : public ::testing::Test {
 protected:
  RequestStats() { base::SetLogSink(&sink_); }
  ~RequestStats() override {
    base::SetLogSink(nullptr);
    base::SetLogLevel(base::LogLevel::kInfo);
  }

  // The fields of the line, from "remote" on.
  std::string Log(std::string_view path, const google::protobuf::Message& request,
                  absl::StatusOr<base::Body> response) {
    base::CallContext context;
    context.path = path;
    context.peer = "127.0.0.1:5";
    LogRequestStats({.context = context,
                     .request = request.SerializeAsString(),
                     .response = response,
                     .start = {},
                     .took = std::chrono::milliseconds(1500)});
    EXPECT_NE(
        sink_.text.find("\"msg\":\"request stats\",\"start time\":\"1970-01-01T00:00:00.000000"
                        "Z\",\"time spent\":\"1.5s\",\"remote\":\"127.0.0.1:5\","),
        std::string::npos)
        << sink_.text;
    return sink_.text.substr(sink_.text.find("\"response type\""));
  }
  static base::Body Body(const google::protobuf::Message& response) {
    return base::Body(base::Rope(response.SerializeAsString()));
  }

  LastLine sink_;
};

TEST_F(RequestStats, APutHasItsKeyAndTheSizeOfItsValue) {
  etcdserverpb::PutRequest request;
  request.set_key("foo");
  request.set_value("secret");
  etcdserverpb::PutResponse response;
  response.mutable_header()->set_revision(5);
  EXPECT_EQ(
      Log("/etcdserverpb.KV/Put", request, Body(response)),
      R"("response type":"/etcdserverpb.KV/Put","request count":1,"request size":13,)"
      R"("response count":0,"response size":4,"request content":"key:\"foo\" value_size:6 "})");
  EXPECT_EQ(sink_.level, base::LogLevel::kWarn);
}

TEST_F(RequestStats, ARangeHasWhatWasFound) {
  etcdserverpb::RangeRequest request;
  request.set_key("a");
  request.set_limit(2);
  etcdserverpb::RangeResponse response;
  response.add_kvs()->set_key("a");
  response.set_count(7);
  EXPECT_EQ(Log("/etcdserverpb.KV/Range", request, Body(response)),
            R"("response type":"/etcdserverpb.KV/Range","request count":0,"request size":5,)"
            R"("response count":7,"response size":7,"request content":"key:\"a\" limit:2 "})");
}

TEST_F(RequestStats, ADeleteHasHowMany) {
  etcdserverpb::DeleteRangeRequest request;
  request.set_key("a");
  etcdserverpb::DeleteRangeResponse response;
  response.set_deleted(3);
  EXPECT_EQ(Log("/etcdserverpb.KV/DeleteRange", request, Body(response)),
            R"("response type":"/etcdserverpb.KV/DeleteRange","request count":0,"request size":3,)"
            R"("response count":3,"response size":2,"request content":"key:\"a\" "})");
}

TEST_F(RequestStats, ATransactionCountsTheOperationsThatRan) {
  etcdserverpb::TxnRequest request;
  request.add_success()->mutable_request_put()->set_value("secret");
  request.add_success()->mutable_request_range()->set_key("b");
  request.add_failure()->mutable_request_range()->set_key("c");
  etcdserverpb::TxnResponse response;
  response.set_succeeded(true);
  const std::string done = Log("/etcdserverpb.KV/Txn", request, Body(response));
  EXPECT_NE(done.find(R"("request count":2,"request size":15,"response count":0,)"
                      R"("response size":2,"request content":"success:<request_put:<value_size:6)"),
            std::string::npos)
      << done;
  EXPECT_EQ(done.find("secret"), std::string::npos);
  response.set_succeeded(false);
  const std::string failed = Log("/etcdserverpb.KV/Txn", request, Body(response));
  EXPECT_NE(failed.find(R"("request count":1,"request size":5,)"), std::string::npos) << failed;
}

TEST_F(RequestStats, OtherCallsHaveNoNumbers) {
  EXPECT_EQ(Log("/etcdserverpb.Maintenance/Status", etcdserverpb::StatusRequest(), base::Body()),
            R"("response type":"/etcdserverpb.Maintenance/Status","request count":-1,)"
            R"("request size":-1,"response count":-1,"response size":-1,"request content":""})");
}

TEST_F(RequestStats, ACallThatFailedHasAnEmptyResponse) {
  etcdserverpb::PutRequest request;
  request.set_key("k");
  EXPECT_EQ(Log("/etcdserverpb.KV/Put", request, Error(Errc::kTimeout)),
            R"("response type":"/etcdserverpb.KV/Put","request count":1,"request size":3,)"
            R"("response count":0,"response size":0,"request content":"key:\"k\" "})");
}

TEST_F(RequestStats, WithDebugLinesItIsOne) {
  base::SetLogLevel(base::LogLevel::kDebug);
  Log("/etcdserverpb.KV/Put", etcdserverpb::PutRequest(), base::Body());
  EXPECT_EQ(sink_.level, base::LogLevel::kDebug);
}

}  // namespace
}  // namespace etcd::api::v3
