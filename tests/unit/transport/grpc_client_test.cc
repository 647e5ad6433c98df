// The transport as gRPC's own C++ client sees it.
#include <chrono>
#include <string>
#include <thread>

#include <grpcpp/channel.h>
#include <grpcpp/create_channel.h>
#include <grpcpp/generic/generic_stub.h>
#include <gtest/gtest.h>

#include "server/base/status.h"
#include "tests/unit/transport/test_server.h"

namespace etcd::transport {
namespace {

using std::chrono::seconds;

struct Answer {
  grpc::Status status;
  std::string body;
};

std::string Text(const grpc::ByteBuffer& buffer) {
  std::vector<grpc::Slice> slices;
  CHECK(buffer.Dump(&slices).ok()) << "dump";
  std::string text;
  for (const grpc::Slice& slice : slices) {
    text.append(reinterpret_cast<const char*>(slice.begin()), slice.size());
  }
  return text;
}

grpc::ByteBuffer Buffer(const std::string& text) {
  const grpc::Slice slice(text);
  return grpc::ByteBuffer(&slice, 1);
}

class GrpcClient : public testing::Test {
 protected:
  void Start() {
    server_.Start();
    grpc::ChannelArguments arguments;
    arguments.SetMaxReceiveMessageSize(-1);
    arguments.SetInt(GRPC_ARG_USE_LOCAL_SUBCHANNEL_POOL, 1);
    channel_ =
        grpc::CreateCustomChannel(server_.address(), grpc::InsecureChannelCredentials(), arguments);
  }

  Answer Call(const std::string& path, const std::string& request,
              grpc::ClientContext* context = nullptr) {
    grpc::ClientContext own;
    if (context == nullptr) context = &own;
    grpc::GenericStub stub(channel_);
    grpc::CompletionQueue queue;
    const grpc::ByteBuffer buffer = Buffer(request);
    auto reader = stub.PrepareUnaryCall(context, path, buffer, &queue);
    reader->StartCall();
    grpc::ByteBuffer response;
    Answer answer;
    reader->Finish(&response, &answer.status, this);
    void* tag = nullptr;
    bool ok = false;
    CHECK(queue.Next(&tag, &ok)) << "queue";
    if (answer.status.ok()) answer.body = Text(response);
    return answer;
  }

  TestServer server_;
  std::shared_ptr<grpc::Channel> channel_;
};

void Echo(TestServer& server) {
  server.Unary("/test.Echo/Echo", [](auto, std::string_view request, base::UnaryDone done) {
    done(base::Body(base::Rope(std::string(request))));
  });
}

TEST_F(GrpcClient, UnaryCallIsAnsweredOnTheLoop) {
  Echo(server_);
  Start();
  const Answer answer = Call("/test.Echo/Echo", "hello");
  EXPECT_TRUE(answer.status.ok()) << answer.status.error_message();
  EXPECT_EQ(answer.body, "hello");
}

TEST_F(GrpcClient, UnaryCallIsAnsweredFromAnotherThread) {
  std::thread worker;
  server_.Unary("/test.Echo/Later", [&](auto, std::string_view request, base::UnaryDone done) {
    worker = std::thread([text = std::string(request), done = std::move(done)]() mutable {
      done(base::Body(base::Rope(text + " later")));
    });
  });
  Start();
  EXPECT_EQ(Call("/test.Echo/Later", "hello").body, "hello later");
  worker.join();
}

TEST_F(GrpcClient, StatusAndMessageArriveExactly) {
  const std::string message = "\t\ntest with whitespace\r\nand Unicode BMP \xe2\x98\xba 100%";
  server_.Unary("/test.Echo/Fail", [&](auto, std::string_view, base::UnaryDone done) {
    done(base::MakeStatus(absl::StatusCode::kOutOfRange, message));
  });
  Start();
  const Answer answer = Call("/test.Echo/Fail", "");
  EXPECT_EQ(answer.status.error_code(), grpc::StatusCode::OUT_OF_RANGE);
  EXPECT_EQ(answer.status.error_message(), message);
}

TEST_F(GrpcClient, LongMessagesPassBothWays) {
  Echo(server_);
  Start();
  std::string text(2 * 1024 * 1024 - 100, 'x');
  text[1000000] = 'y';
  const Answer answer = Call("/test.Echo/Echo", text);
  EXPECT_TRUE(answer.status.ok()) << answer.status.error_message();
  EXPECT_TRUE(answer.body == text);
}

TEST_F(GrpcClient, TooLongRequestIsRefusedWithItsLength) {
  Echo(server_);
  Start();
  const Answer answer = Call("/test.Echo/Echo", std::string(2 * 1024 * 1024 + 1, 'x'));
  EXPECT_EQ(answer.status.error_code(), grpc::StatusCode::RESOURCE_EXHAUSTED);
  EXPECT_EQ(answer.status.error_message(),
            "grpc: received message larger than max (2097153 vs. 2097152)");
}

TEST_F(GrpcClient, UnknownPathsAreUnimplemented) {
  Echo(server_);
  Start();
  EXPECT_EQ(Call("/test.Echo/Nope", "").status.error_message(),
            "unknown method Nope for service test.Echo");
  EXPECT_EQ(Call("/other.Service/Echo", "").status.error_message(),
            "unknown service other.Service");
  const Answer answer = Call("/bad", "");
  EXPECT_EQ(answer.status.error_message(), "malformed method name: \"/bad\"");
  EXPECT_EQ(answer.status.error_code(), grpc::StatusCode::UNIMPLEMENTED);
}

TEST_F(GrpcClient, DroppedAnswerIsAnError) {
  server_.Unary("/test.Echo/Drop", [](auto, std::string_view, base::UnaryDone) {});
  Start();
  EXPECT_EQ(Call("/test.Echo/Drop", "").status.error_code(), grpc::StatusCode::INTERNAL);
}

}  // namespace
}  // namespace etcd::transport
