#pragma once

#include <functional>
#include <memory>
#include <mutex>
#include <string>
#include <string_view>
#include <thread>
#include <vector>

namespace etcd::testing {

// A bare HTTP/1.1 server on 127.0.0.1, a port of the kernel's choice, that says exactly what a test
// wants it to say, also when that is no HTTP. A thread for each connection.
class LoopbackHttp {
 public:
  struct Request {
    std::string method, target;
    std::string head;  // all lines, as they came
    std::string body;
  };
  class Peer {
   public:
    explicit Peer(int fd) : fd_(fd) {}
    void Write(std::string_view bytes);
    // A whole answer; `headers` are lines with their CRLF.
    void Answer(int code, std::string_view body, std::string_view headers = {});
    // Until the client closes or the server stops.
    void WaitForClose();
    // The client sees a reset, not an end.
    void Reset();
    bool is_open() const { return is_open_; }

   private:
    int fd_;
    bool is_open_ = true;
  };
  // False: the connection is closed afterwards.
  using Handler = std::function<bool(const Request& request, Peer& peer)>;

  explicit LoopbackHttp(Handler handler);
  // Breaks all connections.
  ~LoopbackHttp();
  LoopbackHttp(const LoopbackHttp&) = delete;
  LoopbackHttp& operator=(const LoopbackHttp&) = delete;

  std::string url() const;
  int connections();

 private:
  void Accept();
  void Serve(int fd);

  const Handler handler_;
  int listener_;
  std::mutex mu_;
  bool stopping_ = false;             // guarded by mu_
  std::vector<int> fds_;              // guarded by mu_; open until the end
  std::vector<std::thread> threads_;  // guarded by mu_
  std::thread acceptor_;
};

}  // namespace etcd::testing
