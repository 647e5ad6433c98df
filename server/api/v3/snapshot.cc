#include "server/api/v3/snapshot.h"

#include <algorithm>
#include <atomic>
#include <cstdint>
#include <span>
#include <string>
#include <utility>

#include "server/base/bytes.h"
#include "server/base/check.h"
#include "server/base/etcd_version.h"
#include "server/base/log.h"
#include "server/base/sha256.h"
#include "server/base/status.h"
#include "server/ports/peer_transport.h"

namespace etcd::api::v3 {
namespace {

constexpr std::size_t kBlobBytes = 32 << 10;
constexpr std::size_t kPendingBytesMax = 1 << 20;  // unsent bytes at which reading stops

// Stores of earlier versions do not hold theirs.
std::string StoredVersion(std::string version) {
  constexpr int kFirstMinor = 6;
  return base::MinorOf(version) >= kFirstMinor ? std::move(version) : std::string();
}

// Reads the image on the bulk executor; kept alive by whoever will call it next. One thread at a
// time, but for Close.
class Sender : public std::enable_shared_from_this<Sender> {
 public:
  Sender(const Core& core, base::CallContextPtr context, base::StreamSinkPtr sink)
      : core_(core),
        context_(std::move(context)),
        sink_(std::move(sink)),
        version_(StoredVersion(core.node().StorageVersion())) {}

  void Close() { closed_.store(true); }

  void Start() {
    auto source = core_.deps().snapshot();
    if (!source.ok()) return sink_->Finish(source.status());
    source_ = std::move(*source);
    remaining_ = source_->size();
    LOG_INFO("sending database snapshot to client", {"total-bytes", remaining_});
    Run();
  }

 private:
  void Run() {
    while (remaining_ > 0) {
      if (closed_.load() || context_->canceled) return;
      if (sink_->PendingBytes() > kPendingBytesMax) return WaitForRoom();
      const absl::Status status = SendBlob();
      if (!status.ok()) return sink_->Finish(status);
    }
    LOG_INFO("successfully sent database snapshot to client", {"total-bytes", source_->size()});
    Send(digest_.Finish());
    sink_->Finish(absl::OkStatus());
  }

  void WaitForRoom() {
    sink_->NotifyWhenBelow(kPendingBytesMax / 2, [self = shared_from_this()] {
      self->core_.bulk().Post([self] { self->Run(); });
    });
  }

  absl::Status SendBlob() {
    std::string blob(static_cast<std::size_t>(std::min<std::uint64_t>(kBlobBytes, remaining_)),
                     '\0');
    for (std::size_t got = 0; got < blob.size();) {
      ASSIGN_OR_RETURN(const std::size_t n, source_->Read(std::span(blob).subspan(got)));
      if (n == 0) return base::DataLoss("the snapshot ended early");
      got += n;
    }
    digest_.Add(blob);
    remaining_ -= blob.size();
    Send(blob);
    return absl::OkStatus();
  }

  // SnapshotResponse: 2 remaining_bytes, 3 blob, 4 version; never a header.
  void Send(std::string_view blob) {
    std::string message;
    message.reserve(blob.size() + 32);
    base::AppendVarintField(message, 2, remaining_);
    base::AppendBytesField(message, 3, blob);
    base::AppendBytesField(message, 4, version_);
    sink_->Send(base::Rope(std::move(message)));
  }

  const Core& core_;
  const base::CallContextPtr context_;
  const base::StreamSinkPtr sink_;
  const std::string version_;
  std::unique_ptr<ports::SnapshotSource> source_;
  std::uint64_t remaining_ = 0;  // bytes of the image that are not sent
  base::Sha256 digest_;
  std::atomic<bool> closed_{false};
};

class SnapshotCall final : public base::StreamHandler {
 public:
  SnapshotCall(const Core& core, base::CallContextPtr context, base::StreamSinkPtr sink)
      : core_(core), sink_(sink), context_(std::move(context)) {}

  void OnMessage(std::string_view) override {
    if (sender_ != nullptr || core_.deps().snapshot == nullptr) return;
    sender_ = std::make_shared<Sender>(core_, context_, sink_);
    core_.bulk().Post([sender = sender_] { sender->Start(); });
  }
  void OnHalfClose() override {}
  void OnClose() override {
    if (sender_ != nullptr) sender_->Close();
  }

 private:
  const Core& core_;
  const base::StreamSinkPtr sink_;
  const base::CallContextPtr context_;
  std::shared_ptr<Sender> sender_;
};

}  // namespace

std::unique_ptr<base::StreamHandler> OpenSnapshot(const Core& core, base::CallContextPtr context,
                                                  base::StreamSinkPtr sink) {
  if (core.deps().snapshot == nullptr) {
    sink->Finish(
        base::MakeStatus(absl::StatusCode::kUnimplemented, "this member cannot send snapshots"));
  }
  return std::make_unique<SnapshotCall>(core, std::move(context), std::move(sink));
}

}  // namespace etcd::api::v3
