#pragma once

#include <functional>
#include <memory>
#include <string>
#include <thread>

#include <absl/status/statusor.h>

namespace etcd::op {

struct Page {
  int code = 200;
  std::string body{};
  std::string content_type{"text/plain; charset=utf-8"};
};

// Answers GET for probes and scrapes, HTTP/1.1, one connection at a time, each closed after its
// answer and bounded in time and size; nothing else is served.
class HttpEndpoint {
 public:
  using Handler = std::function<Page(const std::string& path)>;

  // "host:port" or ":port"; port 0: the kernel chooses. The handler runs on the endpoint's thread.
  static absl::StatusOr<std::unique_ptr<HttpEndpoint>> Listen(const std::string& address,
                                                              Handler handler);
  ~HttpEndpoint();
  HttpEndpoint(const HttpEndpoint&) = delete;
  HttpEndpoint& operator=(const HttpEndpoint&) = delete;

  int port() const;

 private:
  HttpEndpoint(int listener, int wake, Handler handler);
  void Run() noexcept;
  void Serve(int connection) const;

  const int listener_;
  const int wake_;  // eventfd
  const Handler handler_;
  std::thread thread_;
};

}  // namespace etcd::op
