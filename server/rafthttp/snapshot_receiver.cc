#include "server/rafthttp/snapshot_receiver.h"

#include <algorithm>
#include <atomic>
#include <chrono>
#include <thread>
#include <utility>
#include <vector>

#include "server/base/log.h"
#include "server/base/status.h"
#include "server/rafthttp/blocking_stream.h"
#include "server/rafthttp/snapshot_body.h"

namespace etcd::rafthttp {
namespace {

using std::chrono::steady_clock;

constexpr std::size_t kReadBytes = 256 << 10;
// Rest for each unit of time spent on the disk, so that whoever else waits for it, above all a log,
// finds it free most of the time. TCP passes the pace on to the sender.
constexpr int kRestPerWork = 3;
constexpr std::chrono::milliseconds kRestMax{100};

std::string Hex(MemberId id) { return base::FormatHex(id.value()); }

absl::Status Refused(std::string_view why) {
  return base::MakeStatus(absl::StatusCode::kFailedPrecondition, why);
}

// One transfer, on its own thread.
class Transfer {
 public:
  Transfer(const Context& context, SnapshotReceiver::Request request,
           const std::atomic<bool>& stopping)
      : context_(context),
        parser_(std::move(request.parser)),
        input_(std::move(request.input)),
        peer_(std::move(request.peer)),
        stream_(std::move(request.stream), context.options.read_timeout, stopping),
        body_(context.options.snapshot_message_bytes_max,
              [this](raft::Message message) { return Begin(std::move(message)); }) {}

  void Run() {
    const auto began = steady_clock::now();
    const absl::Status read = ReadBody();
    Answer answer = body_.Finish(read.ok());
    answer.close = true;
    answer.headers.emplace_back("X-Etcd-Cluster-Id",
                                base::FormatHex(context_.self.cluster_id.value()));
    base::IgnoreError(stream_.WriteAll(ToText(answer, /*keep_alive=*/false)),
                      "the sender counts no answer as a failure");
    stream_.Linger();
    Report(answer, steady_clock::now() - began);
  }

 private:
  absl::StatusOr<std::unique_ptr<ports::SnapshotSink>> Begin(raft::Message message) {
    from_ = message.from;
    context_.observer.OnSnapshotReceiving(from_);
    if (message.to != context_.self.id) {
      return Refused("cannot process message to mismatch member");
    }
    if (context_.receiver.IsRemoved(from_)) {
      return Refused("cannot process message from removed member");
    }
    LOG_INFO("receiving database snapshot", {"local-member-id", Hex(context_.self.id)},
             {"remote-snapshot-sender-id", Hex(from_)},
             {"incoming-snapshot-index", message.snapshot.metadata.index});
    return context_.receiver.ReceiveSnapshot(std::move(message));
  }

  absl::Status ReadBody() {
    parser_->SetSink(&body_);
    std::vector<char> buffer(kReadBytes);
    while (true) {
      std::string_view bytes = input_;
      RETURN_IF_ERROR(parser_->Put(bytes));
      input_.erase(0, input_.size() - bytes.size());
      if (parser_->done()) return absl::OkStatus();
      ASSIGN_OR_RETURN(const std::size_t got, stream_.Read(buffer));
      if (got == 0) return parser_->PutEnd();
      context_.observer.OnReceived(from_, got);
      // Mostly nothing is left over, and the bytes go to the sink without a copy.
      bytes = {buffer.data(), got};
      const auto began = steady_clock::now();
      if (input_.empty()) RETURN_IF_ERROR(parser_->Put(bytes));
      input_.append(bytes);
      std::this_thread::sleep_for(std::min<std::chrono::nanoseconds>(
          (steady_clock::now() - began) * kRestPerWork, kRestMax));
    }
  }

  void Report(const Answer& answer, std::chrono::nanoseconds took) {
    const bool ok = answer.status == 204;
    if (body_.from()) context_.observer.OnSnapshotReceived(from_, ok, took);
    if (ok) {
      LOG_INFO("received and saved database snapshot", {"local-member-id", Hex(context_.self.id)},
               {"remote-snapshot-sender-id", Hex(from_)},
               {"incoming-snapshot-size-bytes", body_.database_bytes()}, {"download-took", took});
    } else {
      context_.observer.OnReceiveFailed(from_ ? Hex(from_) : peer_);
      LOG_WARN("failed to receive a database snapshot", {"remote-address", peer_},
               {"remote-snapshot-sender-id", Hex(from_)}, {"error", answer.body});
    }
  }

  const Context& context_;
  const std::unique_ptr<RequestParser> parser_;
  std::string input_;  // not parsed yet
  const std::string peer_;
  BlockingStream stream_;
  SnapshotBody body_;
  MemberId from_;
};

}  // namespace

void SnapshotReceiver::Start(Request request) {
  ++*running_;
  workers_.Start("snapshot-recv",
                 [this, running = running_, request = std::move(request)]() mutable {
                   Transfer(context_, std::move(request), workers_.stopping()).Run();
                   --*running;
                 });
}

}  // namespace etcd::rafthttp
