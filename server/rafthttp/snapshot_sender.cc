#include "server/rafthttp/snapshot_sender.h"

#include <chrono>
#include <string>
#include <vector>

#include "server/base/bytes.h"
#include "server/base/log.h"
#include "server/base/status.h"
#include "server/raftcodec/raftpb.h"
#include "server/rafthttp/blocking_stream.h"
#include "server/rafthttp/http.h"

namespace etcd::rafthttp {
namespace {

using std::chrono::steady_clock;

constexpr std::size_t kReadBytes = 256 << 10;
// The peer verifies and fsyncs gigabytes before it answers; a dead one is found by TCP keepalives.
constexpr std::chrono::minutes kAnswerPatience(10);

std::string Hex(MemberId id) { return base::FormatHex(id.value()); }

absl::Status Failed(std::string_view why) {
  return base::MakeStatus(absl::StatusCode::kUnavailable, why);
}

// One transfer, on its own thread.
class Transfer {
 public:
  Transfer(const Context& context, const config::Url& url, const std::atomic<bool>& stopping)
      : context_(context), url_(url), stopping_(stopping) {}

  absl::Status Run(const raft::Message& message, ports::SnapshotSource& database) {
    const TransportOptions& options = context_.options;
    ASSIGN_OR_RETURN(
        auto connected,
        BlockingStream::Connect(url_, options.lookup,
                                std::chrono::seconds(1) + options.election_timeout, stopping_));
    BlockingStream stream(std::move(connected), options.write_timeout, stopping_);
    std::string head;
    base::AppendBigEndian64(head, raftcodec::EncodedSize(message));
    raftcodec::AppendTo(head, message);
    Headers headers = MakePeerHeaders(context_.self);
    headers.emplace_back("Content-Type", "application/octet-stream");
    const std::uint64_t length = head.size() + database.size();
    RETURN_IF_ERROR(
        stream.WriteAll(RequestHead("POST", url_.host, "/raft/snapshot", headers, length) + head));
    // A peer that refuses says so before it has read everything.
    const absl::Status sent = WriteDatabase(database, stream);
    const absl::Status answered = ReadAnswer(stream);
    if (sent.ok()) context_.observer.OnSent(message.to, length);
    return sent.ok() || !refused_ ? (sent.ok() ? answered : sent) : answered;
  }

 private:
  static absl::Status WriteDatabase(ports::SnapshotSource& database, BlockingStream& stream) {
    std::vector<char> buffer(kReadBytes);
    std::uint64_t left = database.size();
    while (left > 0) {
      ASSIGN_OR_RETURN(const std::size_t got, database.Read(buffer));
      if (got == 0 || got > left) return Failed("database has another size than announced");
      RETURN_IF_ERROR(stream.WriteAll({buffer.data(), got}));
      left -= got;
    }
    stream.SetTimeout(kAnswerPatience);
    return absl::OkStatus();
  }

  absl::Status ReadAnswer(BlockingStream& stream) {
    ResponseParser parser(context_.options.head_bytes_max);
    StringSink text(64 << 10);
    std::string input;
    std::vector<char> buffer(64 << 10);
    while (!parser.done()) {
      ASSIGN_OR_RETURN(const std::size_t got, stream.Read(buffer));
      if (got == 0) return Failed("unexpected EOF");
      input.append(buffer.data(), got);
      std::string_view rest = input;
      RETURN_IF_ERROR(parser.Put(rest));
      if (parser.head_done()) parser.SetSink(&text);
      RETURN_IF_ERROR(parser.Put(rest));
      input.erase(0, input.size() - rest.size());
    }
    const unsigned status = parser.head().result_int();
    if (status == 204) return absl::OkStatus();
    refused_ = true;
    return Failed("unexpected http status " + std::to_string(status) + ": " + text.body());
  }

  const Context& context_;
  const config::Url url_;
  const std::atomic<bool>& stopping_;
  bool refused_ = false;
};

void Send(const Context& context, const config::Url& url, OutgoingSnapshot& snapshot,
          const std::atomic<bool>& stopping, absl::Status& result) {
  const MemberId to = snapshot.message.to;
  LOG_INFO("sending database snapshot",
           {"snapshot-index", snapshot.message.snapshot.metadata.index},
           {"remote-peer-id", Hex(to)}, {"bytes", snapshot.database->size()});
  context.observer.OnSnapshotSending(to);
  const auto began = steady_clock::now();
  result = Transfer(context, url, stopping).Run(snapshot.message, *snapshot.database);
  snapshot.database = nullptr;
  context.observer.OnSnapshotSent(to, result.ok(), steady_clock::now() - began);
  if (result.ok()) {
    LOG_INFO("sent database snapshot", {"snapshot-index", snapshot.message.snapshot.metadata.index},
             {"remote-peer-id", Hex(to)});
    return;
  }
  context.observer.OnSendFailed(to);
  LOG_WARN("failed to send database snapshot",
           {"snapshot-index", snapshot.message.snapshot.metadata.index},
           {"remote-peer-id", Hex(to)}, {"error", result});
}

}  // namespace

void SnapshotSender::Send(std::unique_ptr<OutgoingSnapshot> snapshot) {
  const MemberId to = snapshot->message.to;
  Peer* const peer = peers_.Find(to);
  const config::Url* const url = peer != nullptr ? peer->link().urls.Pick() : nullptr;
  if (url == nullptr || snapshot->database == nullptr || sending_.contains(to)) {
    return snapshot->Report(false);
  }
  sending_.insert(to);
  workers_.Start("snapshot-send", [this, to, url = *url, snapshot = std::move(snapshot)] {
    const Context& context = peers_.context();
    absl::Status result;
    rafthttp::Send(context, url, *snapshot, workers_.stopping(), result);
    // Before the report: raft may ask for the next one at once.
    context.loop.mailbox()->Post([this, to, url, result] { Finished(to, url, result); });
    snapshot->Report(result.ok());
  });
}

void SnapshotSender::Finished(MemberId to, const config::Url& url, const absl::Status& result) {
  sending_.erase(to);
  Peer* const peer = peers_.Find(to);
  if (peer == nullptr) return;
  if (result.ok()) return peer->link().status.Activate();
  peer->link().urls.Failed(url);
  peer->link().status.Deactivate("failed to send a snapshot (" +
                                 std::string(base::MessageOf(result)) + ")");
  peers_.context().receiver.ReportUnreachable(to);
}

}  // namespace etcd::rafthttp
