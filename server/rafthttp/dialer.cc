#include "server/rafthttp/dialer.h"

#include <algorithm>
#include <cstring>
#include <unistd.h>
#include <utility>

#include "server/base/status.h"

namespace etcd::rafthttp {
namespace {

absl::Status Unreachable(std::string_view why) {
  return base::MakeStatus(absl::StatusCode::kUnavailable, why);
}

}  // namespace

std::shared_ptr<Dial> Dial::Start(Loop& loop, config::Url url, Timeouts timeouts, Done done) {
  auto dial = std::make_shared<Dial>(loop, std::move(url), timeouts, std::move(done));
  loop.mailbox()->Post([dial] { dial->Begin(); });
  return dial;
}

Dial::Dial(Loop& loop, config::Url url, Timeouts timeouts, Done done)
    : loop_(loop),
      url_(std::move(url)),
      timeouts_(timeouts),
      done_(std::move(done)),
      timer_(loop.timers(), [this] { Finish(Unreachable("dial " + url_.host + ": i/o timeout")); }),
      resolver_(loop.io()),
      readiness_(loop.io()),
      last_error_(Unreachable("no address for " + url_.host)) {}

Dial::~Dial() { CloseDescriptor(); }

void Dial::Cancel() {
  done_ = nullptr;
  timer_.Disarm();
  resolver_.cancel();
  CloseDescriptor();
}

void Dial::Begin() {
  if (!done_) return;
  timer_.Arm(loop_.now() + timeouts_.dial);
  if (absl::Status known = CheckScheme(url_); !known.ok()) return Finish(std::move(known));
  if (const auto literal = LiteralAddress(url_)) {
    addresses_ = {*literal};
    return TryNext();
  }
  AskResolver();
}

void Dial::AskResolver() {
  const auto parts = config::SplitHostPort(url_.host);
  if (!parts.ok()) return Finish(parts.status());
  resolver_.async_resolve(
      parts->host, parts->port,
      [self = shared_from_this()](const boost::system::error_code& error, const auto& results) {
        if (!self->done_) return;
        self->loop_.Run([&] {
          if (error) {
            return self->Finish(Unreachable("lookup " + self->url_.host + ": " + error.message()));
          }
          for (const auto& result : results) {
            const auto endpoint = result.endpoint();
            Address address;
            address.size = static_cast<socklen_t>(endpoint.size());
            std::memcpy(&address.bytes, endpoint.data(), endpoint.size());
            self->addresses_.push_back(address);
          }
          std::ranges::reverse(self->addresses_);
          self->TryNext();
        });
      });
}

void Dial::TryNext() {
  CloseDescriptor();
  while (!addresses_.empty()) {
    current_ = addresses_.back();
    addresses_.pop_back();
    const absl::StatusOr<int> begun = BeginConnect(current_);
    if (!begun.ok()) {
      last_error_ = begun.status();
      continue;
    }
    descriptor_ = *begun;
    boost::system::error_code ignored;
    readiness_.assign(descriptor_, ignored);
    readiness_.async_wait(readiness_.wait_write,
                          [self = shared_from_this()](const boost::system::error_code& error) {
                            if (error || !self->done_) return;
                            self->loop_.Run([&] { self->OnWritable(); });
                          });
    return;
  }
  Finish(last_error_);
}

void Dial::OnWritable() {
  if (absl::Status result = ConnectResult(descriptor_); !result.ok()) {
    last_error_ =
        Unreachable("dial " + ToText(current_) + ": " + std::string(base::MessageOf(result)));
    return TryNext();
  }
  boost::system::error_code ignored;
  readiness_.cancel(ignored);
  readiness_.release();
  auto stream = MakeClientStream(std::exchange(descriptor_, -1), url_);
  if (!stream.ok()) return Finish(stream.status());
  Finish(
      std::make_shared<Connection>(loop_, *std::move(stream), timeouts_.write, ToText(current_)));
}

void Dial::CloseDescriptor() {
  if (descriptor_ < 0) return;
  boost::system::error_code ignored;
  readiness_.cancel(ignored);
  readiness_.release();
  ::close(std::exchange(descriptor_, -1));
}

void Dial::Finish(absl::StatusOr<ConnectionPtr> result) {
  const auto self = shared_from_this();
  Done done = std::exchange(done_, nullptr);
  timer_.Disarm();
  resolver_.cancel();
  CloseDescriptor();
  if (done) done(std::move(result));
}

}  // namespace etcd::rafthttp
