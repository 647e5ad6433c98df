#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "server/base/http_call.h"
#include "server/net/loop.h"
#include "server/rafthttp/server_session.h"

namespace etcd::rafthttp {

// What a handler answers a request with, from any thread: each call is posted to the session.
class Responder final : public base::HttpResponder {
 public:
  Responder(net::MailboxPtr mailbox, std::weak_ptr<ServerSession> session, std::uint64_t request)
      : mailbox_(std::move(mailbox)), session_(std::move(session)), request_(request) {}

  void Begin(int status, Headers headers) override {
    Tell(
        [status, headers = std::move(headers), request = request_](ServerSession& session) mutable {
          session.BeginAnswer(request, status, std::move(headers), std::nullopt);
        });
  }
  void Write(base::Rope bytes) override {
    Tell([bytes = std::move(bytes), request = request_](ServerSession& session) mutable {
      session.WriteAnswer(request, std::move(bytes));
    });
  }
  void End() override {
    Tell([request = request_](ServerSession& session) { session.EndAnswer(request); });
  }
  void Reply(int status, Headers headers, std::string body) override {
    Tell([status, headers = std::move(headers), body = std::move(body),
          request = request_](ServerSession& session) mutable {
      session.BeginAnswer(request, status, std::move(headers), body.size());
      session.WriteAnswer(request, base::Rope(std::move(body)));
      session.EndAnswer(request);
    });
  }
  void OnGone(std::function<void()> gone) override {
    const bool posted = mailbox_->TryPost([session = session_, gone, request = request_] {
      if (const auto alive = session.lock()) return alive->OnGone(request, gone);
      gone();
    });
    if (!posted) gone();
  }

 private:
  template <typename Function>
  void Tell(Function function) {
    mailbox_->Post([session = session_, function = std::move(function)]() mutable {
      if (const auto alive = session.lock()) function(*alive);
    });
  }

  const net::MailboxPtr mailbox_;
  const std::weak_ptr<ServerSession> session_;
  const std::uint64_t request_;
};

}  // namespace etcd::rafthttp
