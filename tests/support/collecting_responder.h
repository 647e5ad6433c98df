#pragma once

#include <algorithm>
#include <functional>
#include <map>
#include <string>
#include <utility>
#include <vector>

#include "server/base/http_call.h"

namespace etcd::testing {

// What an HTTP client sees.
class CollectingResponder final : public base::HttpResponder {
 public:
  using Headers = std::vector<std::pair<std::string, std::string>>;

  void Begin(int s, Headers h) override {
    status = s;
    for (auto& [name, value] : h) headers[name] = value;
  }
  void Write(base::Rope bytes) override { body += bytes.Flatten(); }
  void End() override {
    ended = true;
    if (gone_) std::exchange(gone_, nullptr)();
  }
  void OnGone(std::function<void()> gone) override {
    if (ended) return gone();
    gone_ = std::move(gone);
  }
  void Reply(int s, Headers h, std::string b) override {
    Begin(s, std::move(h));
    body = std::move(b);
    End();
  }

  // The client goes away.
  void Leave() {
    if (gone_) std::exchange(gone_, nullptr)();
  }
  std::size_t Lines() const {
    return static_cast<std::size_t>(std::count(body.begin(), body.end(), '\n'));
  }

  int status = 0;
  std::map<std::string, std::string> headers;
  std::string body;
  bool ended = false;

 private:
  std::function<void()> gone_;
};

}  // namespace etcd::testing
