#include <algorithm>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "server/base/check.h"
#include "tests/fuzz/target.h"
#include "tests/unit/transport/raw_client.h"
#include "tests/unit/transport/test_server.h"

// Bytes of a hostile client on a real connection: HTTP/1.1, HTTP/2 and what is neither. The server
// must end every such connection and go on serving.
namespace etcd::fuzz {
namespace {

using transport::GrpcHeaderBlock;
using transport::GrpcMessage;
using transport::H2Frame;
using transport::H2Start;
using transport::RawClient;
using transport::TestServer;

class Echo final : public base::StreamHandler {
 public:
  explicit Echo(base::StreamSinkPtr sink) : sink_(std::move(sink)) {}
  void OnMessage(std::string_view message) override {
    sink_->Send(base::Rope(std::string(message)));
  }
  void OnHalfClose() override { sink_->Finish(absl::OkStatus()); }
  void OnClose() override {}

 private:
  base::StreamSinkPtr sink_;
};

// Started once: a server per input would be all that is measured.
TestServer& Server() {
  static TestServer& server = *[] {
    auto* made = new TestServer;
    made->options.endpoints[0].http_over_http2 = true;
    made->options.receive_message_bytes_max = 10'000;
    made->options.http_body_bytes_max = 10'000;
    made->Unary("/t.S/Echo", [](auto, std::string_view request, base::UnaryDone done) {
      done(base::Body(base::Rope(std::string(request))));
    });
    made->Stream("/t.S/Stream",
                 [](auto, auto sink) { return std::make_unique<Echo>(std::move(sink)); });
    made->Http([](base::HttpRequest request, base::HttpResponderPtr responder) {
      responder->Reply(200, {}, request.path + request.body);
    });
    made->Start();
    return made;
  }();
  return server;
}

}  // namespace

std::vector<std::string> Seeds() {
  const std::string call = H2Frame(1, 4, 1, GrpcHeaderBlock("/t.S/Echo"));
  const std::string stream = H2Frame(1, 4, 3, GrpcHeaderBlock("/t.S/Stream"));
  return {
      "GET /a?b=c HTTP/1.1\r\nHost: h\r\nConnection: close\r\n\r\n",
      "POST / HTTP/1.1\r\nHost: h\r\nContent-Length: 3\r\n\r\nabcGET /x HTTP/1.0\r\n\r\n",
      "POST / HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: chunked\r\n\r\n4;x=y\r\nabcd\r\n0\r\n"
      "T: v\r\n\r\n",
      H2Start() + call + H2Frame(0, 1, 1, GrpcMessage("hello")),
      H2Start() + stream + H2Frame(0, 0, 3, GrpcMessage("a") + GrpcMessage("b")) +
          H2Frame(8, 0, 3, std::string("\0\0\1\0", 4)) + H2Frame(0, 1, 3, "") +
          H2Frame(3, 0, 3, std::string("\0\0\0\x08", 4)),
      H2Start() + H2Frame(4, 0, 0, std::string("\0\4\0\0\0\1\0\3\0\0\0\2", 12)) + call +
          H2Frame(0, 0, 1, GrpcMessage("hel").substr(0, 6)) + H2Frame(6, 0, 0, "12345678") +
          H2Frame(7, 0, 0, std::string(8, '\0')),
  };
}

}  // namespace etcd::fuzz

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  static int runs = 0;
  {
    etcd::transport::RawClient client(etcd::fuzz::Server().port);
    client.Send({reinterpret_cast<const char*>(data), size});
    client.ShutdownWrite();
    client.ReadToEnd();
    CHECK(client.closed()) << "the connection is still open";
  }
  if (++runs % 64 == 0) {
    etcd::transport::RawClient client(etcd::fuzz::Server().port);
    client.Send("GET /alive HTTP/1.0\r\n\r\n");
    CHECK(client.ReadToEnd().ends_with("/alive")) << "the server stopped serving";
  }
  return 0;
}
