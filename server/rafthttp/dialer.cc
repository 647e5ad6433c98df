#include "server/rafthttp/dialer.h"

#include <unistd.h>
#include <utility>

#include "server/base/status.h"
#include "server/rafthttp/url_stream.h"

namespace etcd::rafthttp {
namespace {

absl::Status Unreachable(std::string_view why) {
  return base::MakeStatus(absl::StatusCode::kUnavailable, why);
}

}  // namespace

std::shared_ptr<Dial> Dial::Start(const Dialing& dialing, config::Url url, Timeouts timeouts,
                                  Done done) {
  auto dial = std::make_shared<Dial>(dialing, std::move(url), timeouts, std::move(done));
  dialing.loop.mailbox()->Post([dial] { dial->Begin(); });
  return dial;
}

Dial::Dial(const Dialing& dialing, config::Url url, Timeouts timeouts, Done done)
    : loop_(dialing.loop),
      resolver_(dialing.resolver),
      url_(std::move(url)),
      timeouts_(timeouts),
      done_(std::move(done)),
      timer_(loop_.timers(),
             [this] { Finish(Unreachable("dial " + url_.host + ": i/o timeout")); }),
      readiness_(loop_),
      last_error_(Unreachable("no address for " + url_.host)) {}

Dial::~Dial() { CloseDescriptor(); }

void Dial::Cancel() {
  done_ = nullptr;
  timer_.Disarm();
  CloseDescriptor();
}

void Dial::Begin() {
  if (!done_) return;
  timer_.Arm(loop_.now() + timeouts_.dial);
  if (absl::Status known = CheckScheme(url_); !known.ok()) return Finish(std::move(known));
  const absl::StatusOr<net::Endpoint> endpoint = EndpointOf(url_);
  if (!endpoint.ok()) return Finish(endpoint.status());
  if (const auto literal = net::LiteralAddress(*endpoint)) {
    addresses_ = {*literal};
    return TryNext();
  }
  AskResolver(*endpoint);
}

void Dial::AskResolver(const net::Endpoint& endpoint) {
  resolver_.Ask(endpoint, [self = shared_from_this()](const net::Resolver::Answer& answer) {
    if (!self->done_) return;
    if (!answer.ok()) return self->Finish(answer.status());
    self->addresses_.assign(answer->rbegin(), answer->rend());
    self->TryNext();
  });
}

void Dial::TryNext() {
  CloseDescriptor();
  while (!addresses_.empty()) {
    current_ = addresses_.back();
    addresses_.pop_back();
    const absl::StatusOr<int> begun = net::BeginConnect(current_);
    if (!begun.ok()) {
      last_error_ = begun.status();
      continue;
    }
    descriptor_ = *begun;
    if (!readiness_.Watch(descriptor_)) {
      last_error_ = Unreachable("dial " + net::ToText(current_) + ": cannot be watched");
      CloseDescriptor();
      continue;
    }
    readiness_.OnWritable([self = shared_from_this()] {
      if (self->done_) self->OnWritable();
    });
    return;
  }
  Finish(last_error_);
}

void Dial::OnWritable() {
  if (absl::Status result = net::ConnectResult(descriptor_); !result.ok()) {
    last_error_ =
        Unreachable("dial " + net::ToText(current_) + ": " + std::string(base::MessageOf(result)));
    return TryNext();
  }
  readiness_.Release();
  auto stream = MakeClientStream(std::exchange(descriptor_, -1), url_);
  if (!stream.ok()) return Finish(stream.status());
  Finish(std::make_shared<Connection>(loop_, *std::move(stream), timeouts_.write,
                                      net::ToText(current_)));
}

void Dial::CloseDescriptor() {
  if (descriptor_ < 0) return;
  readiness_.Release();
  ::close(std::exchange(descriptor_, -1));
}

void Dial::Finish(absl::StatusOr<ConnectionPtr> result) {
  const auto self = shared_from_this();
  Done done = std::exchange(done_, nullptr);
  timer_.Disarm();
  CloseDescriptor();
  if (done) done(std::move(result));
}

}  // namespace etcd::rafthttp
