#pragma once

#include <atomic>
#include <condition_variable>
#include <cstdint>
#include <mutex>
#include <string>
#include <string_view>
#include <thread>
#include <vector>

namespace etcd::client {

// A port on 127.0.0.1 whose connections go wrong in one way. Threads end with it.
class RawServer {
 public:
  enum class Way {
    kRefused,         // nobody listens on the port
    kSilent,          // accepts and says nothing
    kCutAtOnce,       // accepts and closes
    kNoHttp2,         // answers as an HTTP/1.1 server
    kDeaf,            // takes requests and pings, and answers nothing
    kCutAfterCall,    // takes a whole request, then resets the connection
    kRefuseStreams,   // takes a request, and says by GOAWAY that it did nothing with it
    kGarbageMessage,  // answers with a message that is no Protobuf
  };

  explicit RawServer(Way way);
  ~RawServer();
  RawServer(const RawServer&) = delete;
  RawServer& operator=(const RawServer&) = delete;

  std::string endpoint() const { return "http://127.0.0.1:" + std::to_string(port_); }
  int connections() const { return connections_; }
  // Requests that came whole.
  int requests() const { return requests_; }

 private:
  void Accept();
  void Serve(int descriptor);
  void Speak(int descriptor);

  const Way way_;
  int listener_ = -1;
  std::uint16_t port_ = 0;
  std::atomic<int> connections_{0};
  std::atomic<int> requests_{0};
  std::mutex mutex_;
  bool stopping_ = false;             // guarded by mutex_
  std::vector<int> open_;             // guarded by mutex_
  std::vector<std::thread> threads_;  // of connections; acceptor_'s
  std::thread acceptor_;
};

}  // namespace etcd::client
