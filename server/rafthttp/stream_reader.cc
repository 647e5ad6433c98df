#include "server/rafthttp/stream_reader.h"

#include <algorithm>
#include <utility>

#include "server/base/log.h"
#include "server/base/status.h"
#include "server/rafthttp/version_text.h"

namespace etcd::rafthttp {
namespace {

// A peer that comes back is dialed again within this.
constexpr std::chrono::milliseconds kBackoffMax(500);
// The first version with these streams.
constexpr Version kStreamsSince{2, 1};

absl::Status Refused(std::string_view why) {
  return base::MakeStatus(absl::StatusCode::kFailedPrecondition, why);
}

std::string Hex(MemberId id) { return base::FormatHex(id.value()); }

std::string_view TrimNewline(std::string_view text) {
  while (text.ends_with('\n')) text.remove_suffix(1);
  return text;
}

}  // namespace

StreamReader::StreamReader(Link& link, StreamKind kind)
    : link_(link),
      kind_(kind),
      redial_(link.context.loop.timers(), [this] { DialNow(); }),
      backoff_(link.context.options.redial_interval) {}

void StreamReader::DialNow() {
  redial_.Disarm();
  const config::Url* const picked = link_.urls.Pick();
  if (picked == nullptr) return Failed("dial", Refused("no usable peer URL"));
  url_ = *picked;
  const TransportOptions& options = link_.context.options;
  dial_ = Dial::Start(link_.context.dialing, *url_,
                      {std::chrono::seconds(1) + options.election_timeout, options.write_timeout},
                      [this](absl::StatusOr<ConnectionPtr> connection) {
                        dial_ = nullptr;
                        if (!connection.ok()) return Failed("dial", connection.status());
                        OnConnected(*std::move(connection));
                      });
}

void StreamReader::OnConnected(ConnectionPtr connection) {
  const Context& context = link_.context;
  connection_ = std::move(connection);
  connection_->SetHandler(this);
  connection_->SetReadTimeout(context.options.read_timeout);
  connection_->Start();
  parser_.emplace(context.options.head_bytes_max);
  const std::string target =
      "/raft/stream/" + std::string(PathName(kind_)) + "/" + Hex(context.self.id);
  connection_->Write(
      base::Rope(RequestHead("GET", url_->host, target, MakePeerHeaders(context.self, link_.id),
                             /*length=*/std::nullopt)));
}

void StreamReader::OnBytes(std::string_view bytes) {
  const bool held = !input_.empty();
  if (held) {
    input_.append(bytes);
    bytes = input_;
  }
  const std::size_t size = bytes.size();
  const absl::Status status = Parse(bytes);
  // What came before the damage is good.
  if (!received_.empty()) Deliver(link_.context, link_.id, std::exchange(received_, {}));
  if (!status.ok()) return Failed(decoder_ != nullptr ? "read" : "dial", status);
  if (parser_->done()) return OnRefused();
  held ? input_.erase(0, size - bytes.size()) : input_.assign(bytes);
}

absl::Status StreamReader::Parse(std::string_view& bytes) {
  while (!bytes.empty() && !parser_->done()) {
    const bool had_head = parser_->head_done();
    const std::size_t before = bytes.size();
    RETURN_IF_ERROR(parser_->Put(bytes));
    if (!had_head && parser_->head_done()) {
      RETURN_IF_ERROR(OnHead());
      continue;
    }
    if (bytes.size() == before) break;
  }
  return absl::OkStatus();
}

absl::Status StreamReader::OnHead() {
  RETURN_IF_ERROR(CheckVersion());
  if (parser_->head().result_int() != 200) {
    parser_->SetSink(&refusal_);
    return absl::OkStatus();
  }
  const Context& context = link_.context;
  const std::size_t limit = context.options.message_bytes_max;
  if (kind_ == StreamKind::kMsgApp) {
    decoder_ = std::make_unique<MsgAppDecoder>(context.self.id, link_.id, limit);
  } else {
    decoder_ = std::make_unique<MessageDecoder>(limit);
  }
  parser_->SetSink(this);
  backoff_ = context.options.redial_interval;
  link_.status.StreamBegins();
  context.observer.OnStream(link_.id, 1);
  LOG_INFO("established TCP streaming connection with remote peer",
           {"stream-reader-type", LogName(kind_)}, {"local-member-id", Hex(context.self.id)},
           {"remote-peer-id", Hex(link_.id)});
  return absl::OkStatus();
}

// A malformed version would stop a Go member; here it only ends the attempt.
absl::Status StreamReader::CheckVersion() const {
  const std::string_view text = parser_->Header("X-Server-Version");
  const auto theirs = ParseVersion(text.empty() ? kOldVersion : text);
  if (!theirs) return Refused("peer reports a malformed version");
  const auto own = ParseVersion(link_.context.self.server_version());
  if (*theirs < *own && *theirs < kStreamsSince) return Refused("unsupported stream type");
  return absl::OkStatus();
}

absl::Status StreamReader::OnBody(std::string_view bytes) {
  const std::size_t before = received_.size();
  RETURN_IF_ERROR(decoder_->Feed(bytes, received_));
  // Frames without a message are heartbeats of the link, which count for nobody.
  const bool quiet = received_.size() == before && decoder_->held_bytes() == 0;
  link_.context.observer.OnReceived(quiet ? MemberId() : link_.id, bytes.size());
  return absl::OkStatus();
}

// An answer without a stream has come whole.
void StreamReader::OnRefused() {
  const int status = static_cast<int>(parser_->head().result_int());
  const std::string text(TrimNewline(refusal_.body()));
  const Context& context = link_.context;
  if (status == 410) {
    if (link_.status.IsNewCause("removed")) {
      LOG_ERROR("the member has been permanently removed from the cluster",
                {"local-member-id", Hex(context.self.id)}, {"remote-peer-id", Hex(link_.id)});
    }
    context.receiver.OnRemovedByPeers();
    return Failed("dial", Refused("the member has been permanently removed from the cluster"));
  }
  if (status == 412) OnCompatibilityRefused(text);
  if (status == 200) return Failed("read", Refused("EOF"));
  if (status == 404) return Failed("dial", Refused("peer failed to find local node: " + text));
  Failed("dial", Refused(status == 412 ? text : "unhandled http status " + std::to_string(status)));
}

void StreamReader::OnCompatibilityRefused(std::string_view text) {
  if (!link_.status.IsNewCause("412 " + std::string(text))) return;
  const Context& context = link_.context;
  if (text == "incompatible version") {
    LOG_WARN("request sent was ignored by remote peer due to server version incompatibility",
             {"local-member-id", Hex(context.self.id)}, {"remote-peer-id", Hex(link_.id)},
             {"error", text});
  } else if (text == "cluster ID mismatch") {
    LOG_WARN("request sent was ignored by remote peer due to cluster ID mismatch",
             {"remote-peer-id", Hex(link_.id)},
             {"remote-peer-cluster-id", parser_->Header("X-Etcd-Cluster-ID")},
             {"local-member-id", Hex(context.self.id)},
             {"local-member-cluster-id", base::FormatHex(context.self.cluster_id.value())},
             {"error", text});
  }
}

void StreamReader::OnClosed(const absl::Status& why) {
  connection_ = nullptr;
  if (parser_->head_done() && decoder_ == nullptr && parser_->PutEnd().ok()) return OnRefused();
  Failed(decoder_ != nullptr ? "read" : "dial", why);
}

void StreamReader::Failed(std::string_view action, const absl::Status& why) {
  const Context& context = link_.context;
  if (decoder_ != nullptr) {
    LOG_WARN("lost TCP streaming connection with remote peer",
             {"stream-reader-type", LogName(kind_)}, {"local-member-id", Hex(context.self.id)},
             {"remote-peer-id", Hex(link_.id)}, {"error", why});
    if (why.code() == absl::StatusCode::kInvalidArgument) {
      context.observer.OnReceiveFailed(Hex(link_.id));
    }
  }
  Reset();
  if (url_) link_.urls.Failed(*url_);
  link_.status.Deactivate("failed to " + std::string(action) + " " + Hex(link_.id) + " on " +
                          std::string(LogName(kind_)) + " (" + std::string(base::MessageOf(why)) +
                          ")");
  if (stopped_) return;
  redial_.Arm(context.loop.now() + backoff_);
  backoff_ = std::max<std::chrono::nanoseconds>(
      std::min<std::chrono::nanoseconds>(backoff_ * 2, kBackoffMax),
      context.options.redial_interval);
}

void StreamReader::Reset() {
  if (dial_ != nullptr) std::exchange(dial_, nullptr)->Cancel();
  if (connection_ != nullptr) std::exchange(connection_, nullptr)->Close();
  if (std::exchange(decoder_, nullptr) != nullptr) {
    link_.status.StreamEnds();
    link_.context.observer.OnStream(link_.id, -1);
  }
  parser_.reset();
  input_.clear();
  received_.clear();
  refusal_.body().clear();
}

void StreamReader::Hurry() {
  if (!redial_.armed()) return;
  backoff_ = link_.context.options.redial_interval;
  redial_.Arm(link_.context.loop.now());
}

void StreamReader::Close() {
  stopped_ = true;
  redial_.Disarm();
  Reset();
}

}  // namespace etcd::rafthttp
