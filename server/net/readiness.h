#pragma once

#include <utility>

#include <boost/asio/io_context.hpp>
#include <boost/asio/posix/basic_stream_descriptor.hpp>

#include "server/net/loop.h"

namespace etcd::net {

// Asks the kernel when a descriptor can be read or written. Loop thread only; does not own the
// descriptor, and lets go of it before its owner closes it.
class Readiness {
 public:
  explicit Readiness(Loop& loop) : loop_(loop), descriptor_(loop.io()) {}
  ~Readiness() { Release(); }
  Readiness(const Readiness&) = delete;
  Readiness& operator=(const Readiness&) = delete;

  // False: out of epoll watches, or a descriptor that epoll does not take.
  bool Watch(int descriptor) {
    boost::system::error_code error;
    static_cast<void>(descriptor_.assign(descriptor, error));  // the same as `error`
    return !error;
  }
  void Release() {
    if (!descriptor_.is_open()) return;
    boost::system::error_code ignored;
    static_cast<void>(descriptor_.cancel(ignored));  // the same as `ignored`
    descriptor_.release();
  }

  // Runs `then` once, in the loop, at the next chance to read (write) or to find out why not. A
  // wait under way at Release ends without it, or, when the kernel was faster, with it: `then`
  // keeps alive what it touches and looks whether it is still wanted. One wait for each at a time.
  template <typename Function>
  void OnReadable(Function then) {
    descriptor_.async_wait(descriptor_.wait_read, InLoop(std::move(then)));
  }
  template <typename Function>
  void OnWritable(Function then) {
    descriptor_.async_wait(descriptor_.wait_write, InLoop(std::move(then)));
  }

 private:
  template <typename Function>
  auto InLoop(Function then) {
    return [&loop = loop_, then = std::move(then)](const boost::system::error_code& error) mutable {
      if (!error) loop.Run(then);
    };
  }

  Loop& loop_;
  boost::asio::posix::basic_stream_descriptor<boost::asio::io_context::executor_type> descriptor_;
};

}  // namespace etcd::net
