#include "server/rafthttp/http_client.h"

#include <algorithm>
#include <utility>

#include "server/base/status.h"
#include "server/rafthttp/http.h"

namespace etcd::rafthttp {
namespace {

// Go closes its side of an idle connection after 5 s.
constexpr std::chrono::seconds kIdleTime(4);
constexpr std::size_t kIdlePerUrl = 4;

absl::Status Unavailable(std::string_view why) {
  return base::MakeStatus(absl::StatusCode::kUnavailable, why);
}

}  // namespace

// A connection that waits for the next request to its URL.
class IdleConnection final : public Connection::Handler {
 public:
  IdleConnection(HttpClient& client, ConnectionPtr connection)
      : client_(client), connection_(std::move(connection)) {
    connection_->SetHandler(this);
    connection_->SetReadTimeout(kIdleTime);
  }
  ~IdleConnection() override {
    if (connection_ != nullptr) connection_->Close();
  }
  ConnectionPtr Take() { return std::exchange(connection_, nullptr); }

  void OnBytes(std::string_view /*bytes*/) override { client_.Forget(this); }  // not asked for
  void OnClosed(const absl::Status& /*why*/) override { client_.Forget(this); }

 private:
  HttpClient& client_;
  ConnectionPtr connection_;
};

// One request and its answer.
class Exchange final : public Connection::Handler, public std::enable_shared_from_this<Exchange> {
 public:
  Exchange(HttpClient& client, HttpClient::Call call, HttpClient::Done done)
      : client_(client),
        call_(std::move(call)),
        key_(call_.url.ToString()),
        done_(std::move(done)),
        sink_(client.options_.reply_bytes_max),
        timer_(client.loop_.timers(), [this] {
          Finish(base::MakeStatus(absl::StatusCode::kDeadlineExceeded, "request timed out"));
        }) {}

  void Begin() {
    if (!done_) return;
    timer_.Arm(client_.loop_.now() + call_.timeout);
    ConnectionPtr idle =
        call_.reuse == HttpClient::Reuse::kAllowed ? client_.TakeIdle(key_) : nullptr;
    reused_ = idle != nullptr;
    reused_ ? Use(std::move(idle)) : DialAnew();
  }
  void Abort(absl::Status why) { Finish(std::move(why)); }

  void OnBytes(std::string_view bytes) override {
    answered_ = true;
    if (!input_.empty()) {
      input_.append(bytes);
      bytes = input_;
    }
    const std::size_t size = bytes.size();
    while (!bytes.empty() && !parser_->done()) {
      const std::size_t before = bytes.size();
      if (absl::Status status = parser_->Put(bytes); !status.ok()) return Finish(status);
      if (parser_->head_done()) parser_->SetSink(&sink_);
      if (bytes.size() == before) break;
    }
    if (parser_->done()) return Finish(TakeReply());
    input_.empty() ? input_.assign(bytes) : input_.erase(0, size - bytes.size());
  }

  void OnClosed(const absl::Status& why) override {
    connection_ = nullptr;
    if (reused_ && !answered_) {
      reused_ = false;
      return DialAnew();
    }
    if (parser_ != nullptr && parser_->head_done() && parser_->PutEnd().ok()) {
      return Finish(TakeReply());
    }
    Finish(why);
  }

 private:
  void DialAnew() {
    const std::chrono::nanoseconds patience =
        std::chrono::seconds(1) + client_.options_.election_timeout;
    dial_ = Dial::Start(client_.dialing_, call_.url, {patience, client_.options_.write_timeout},
                        [self = shared_from_this()](absl::StatusOr<ConnectionPtr> connection) {
                          if (!connection.ok()) return self->Finish(connection.status());
                          (*connection)->Start();
                          self->Use(*std::move(connection));
                        });
  }

  void Use(ConnectionPtr connection) {
    connection_ = std::move(connection);
    connection_->SetHandler(this);
    connection_->SetReadTimeout(std::nullopt);
    parser_ = std::make_unique<ResponseParser>(client_.options_.head_bytes_max);
    const ports::PeerRequest& request = call_.request;
    const bool has_body = request.method != "GET" || !request.body.empty();
    base::Rope bytes(
        RequestHead(request.method, call_.url.host, request.path, request.headers,
                    has_body ? std::optional<std::uint64_t>(request.body.size()) : std::nullopt));
    bytes.Append(request.body);
    connection_->Write(std::move(bytes));
  }

  ports::PeerReply TakeReply() {
    ports::PeerReply reply;
    reply.status = static_cast<int>(parser_->head().result_int());
    reply.headers = parser_->LowerCaseHeaders();
    reply.body = std::move(sink_.body());
    return reply;
  }

  void Finish(absl::StatusOr<ports::PeerReply> result) {
    if (!done_) return;
    HttpClient::Done done = std::exchange(done_, nullptr);
    const auto self = shared_from_this();
    timer_.Disarm();
    if (dial_ != nullptr) dial_->Cancel();
    dial_ = nullptr;
    if (connection_ != nullptr) {
      const bool keep = result.ok() && parser_->done() && parser_->keep_alive();
      keep ? client_.Keep(key_, connection_) : connection_->Close();
      connection_ = nullptr;
    }
    client_.Finished(self);
    done(std::move(result));
  }

  HttpClient& client_;
  const HttpClient::Call call_;
  const std::string key_;
  HttpClient::Done done_;  // empty: over
  StringSink sink_;
  net::Timer timer_;
  std::shared_ptr<Dial> dial_;
  ConnectionPtr connection_;
  std::unique_ptr<ResponseParser> parser_;
  std::string input_;      // not parsed yet
  bool reused_ = false;    // over a connection that had been idle
  bool answered_ = false;  // some bytes of the answer have come
};

HttpClient::HttpClient(const Dialing& dialing, const TransportOptions& options)
    : dialing_(dialing), loop_(dialing.loop), options_(options) {}

HttpClient::~HttpClient() { Close(); }

void HttpClient::Send(Call call, Done done) {
  auto exchange = std::make_shared<Exchange>(*this, std::move(call), std::move(done));
  exchanges_.insert(exchange);
  loop_.mailbox()->Post([this, exchange] {
    if (closed_) return exchange->Abort(Unavailable("transport is stopped"));
    exchange->Begin();
  });
}

void HttpClient::Close() {
  closed_ = true;
  const std::vector<std::shared_ptr<Exchange>> all(exchanges_.begin(), exchanges_.end());
  for (const auto& exchange : all) exchange->Abort(Unavailable("transport is stopped"));
  idle_.clear();
}

ConnectionPtr HttpClient::TakeIdle(const std::string& url) {
  const auto found = idle_.find(url);
  if (found == idle_.end()) return nullptr;
  ConnectionPtr connection = found->second.back()->Take();
  found->second.pop_back();
  if (found->second.empty()) idle_.erase(found);
  return connection;
}

void HttpClient::Keep(const std::string& url, ConnectionPtr connection) {
  auto& waiting = idle_[url];
  if (closed_ || waiting.size() >= kIdlePerUrl) return connection->Close();
  waiting.push_back(std::make_unique<IdleConnection>(*this, std::move(connection)));
}

void HttpClient::Forget(IdleConnection* idle) {
  for (auto it = idle_.begin(); it != idle_.end(); ++it) {
    if (std::erase_if(it->second, [&](const auto& other) { return other.get() == idle; }) == 0) {
      continue;
    }
    if (it->second.empty()) idle_.erase(it);
    return;
  }
}

void HttpClient::Finished(const std::shared_ptr<Exchange>& exchange) { exchanges_.erase(exchange); }

}  // namespace etcd::rafthttp
