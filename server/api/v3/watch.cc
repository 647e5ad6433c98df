#include "server/api/v3/watch.h"

#include <cstdint>
#include <span>
#include <string>
#include <string_view>
#include <utility>

#include "server/api/v3/wire.h"
#include "server/base/bytes.h"
#include "server/watch/watch_hub.h"

namespace etcd::api::v3 {
namespace {

using watch::WatchMessage;
using Kind = watch::WatchMessage::Kind;

// WatchResponse but its events: 1 header, 2 watch_id, 3 created, 4 canceled, 5 compact_revision,
// 6 cancel_reason, 7 fragment. The events (11) follow.
std::string EncodeHead(const Core& core, const WatchMessage& message) {
  const bool is_created = message.kind == Kind::kCreated || message.kind == Kind::kRefused;
  const bool is_canceled = message.kind == Kind::kRefused || message.kind == Kind::kCanceled ||
                           message.kind == Kind::kCompacted;
  std::string out;
  out.reserve(64 + message.cancel_reason.size());
  core.AppendHeader(out, message.header_revision);
  base::AppendVarintField(out, 2, static_cast<std::uint64_t>(message.watch_id.value()));
  base::AppendVarintField(out, 3, is_created ? 1 : 0);
  base::AppendVarintField(out, 4, is_canceled ? 1 : 0);
  base::AppendVarintField(out, 5, static_cast<std::uint64_t>(message.compact_revision.value()));
  base::AppendBytesField(out, 6, message.cancel_reason);
  base::AppendVarintField(out, 7, message.fragment ? 1 : 0);
  return out;
}

// The hub's way out. Watch thread.
class Outgoing final : public watch::WatchSink {
 public:
  Outgoing(const Core& core, base::StreamSinkPtr sink) : core_(core), sink_(std::move(sink)) {}

  void Deliver(std::span<WatchMessage> messages) override {
    for (WatchMessage& message : messages) {
      base::Rope rope(EncodeHead(core_, message));
      rope.Append(std::move(message.events));  // shared by all watchers that get the same
      sink_->Send(std::move(rope));
    }
  }
  std::size_t PendingBytes() const override { return sink_->PendingBytes(); }
  void NotifyWhenBelow(std::size_t bytes, absl::AnyInvocable<void()> ready) override {
    sink_->NotifyWhenBelow(bytes, std::move(ready));
  }

 private:
  const Core& core_;
  const base::StreamSinkPtr sink_;
};

// WatchCreateRequest: 1 key, 2 range_end, 3 start_revision, 4 progress_notify, 5 filters, 6
// prev_kv, 7 watch_id, 8 fragment.
void AssignCreate(const WireField& field, watch::WatchSpec& spec) {
  const auto value = static_cast<std::int64_t>(field.varint);
  switch (field.number) {
    case 3:
      spec.start_revision = Revision(value);
      break;
    case 4:
      spec.progress_notify = value != 0;
      break;
    case 6:
      spec.prev_kv = value != 0;
      break;
    case 7:
      spec.watch_id = WatchId(value);
      break;
    case 8:
      spec.fragment = value != 0;
      break;
    default:
      break;
  }
}

// FilterType: 0 NOPUT, 1 NODELETE; others mean nothing.
void AddFilter(std::uint64_t type, watch::WatchSpec& spec) {
  if (type == 0) spec.no_put = true;
  if (type == 1) spec.no_delete = true;
}

bool ParseFilters(std::string_view packed, watch::WatchSpec& spec) {
  while (!packed.empty()) {
    std::uint64_t type = 0;
    if (!base::ConsumeVarint(packed, type)) return false;
    AddFilter(type, spec);
  }
  return true;
}

bool ParseCreate(std::string_view bytes, watch::WatchSpec& spec) {
  WireReader reader(bytes);
  for (WireField field; reader.Next(field);) {
    if (field.IsBytes(1)) {
      spec.key = field.bytes;
    } else if (field.IsBytes(2)) {
      spec.range_end = field.bytes;
    } else if (field.IsBytes(5)) {
      if (!ParseFilters(field.bytes, spec)) return false;
    } else if (field.IsVarint(5)) {
      AddFilter(field.varint, spec);
    } else if (field.type == base::kWireVarint) {
      AssignCreate(field, spec);
    }
  }
  return reader.ok();
}

bool ParseCancel(std::string_view bytes, WatchId& id) {
  WireReader reader(bytes);
  for (WireField field; reader.Next(field);) {
    if (field.IsVarint(1)) id = WatchId(static_cast<std::int64_t>(field.varint));
  }
  return reader.ok();
}

class WatchCall final : public base::StreamHandler {
 public:
  WatchCall(const Core& core, base::StreamSinkPtr sink)
      : core_(core),
        hub_(core.deps().watch),
        sink_(sink),
        stream_(hub_.OpenStream(std::make_shared<Outgoing>(core, std::move(sink)))) {}

  void OnMessage(std::string_view message) override {
    // WatchRequest: a oneof of 1 create, 2 cancel, 3 progress; the last one given counts.
    WireReader reader(message);
    WireField request;
    for (WireField field; reader.Next(field);) {
      if (field.type == base::kWireBytes && field.number <= 3) request = field;
    }
    if (!reader.ok() || !Handle(request)) {
      core_.CountReceiveFailure("watch");
      sink_->Finish(MalformedStreamMessage());
    }
  }
  // Watchers live on after the client's last request.
  void OnHalfClose() override {}
  void OnClose() override { hub_.CloseStream(stream_); }

 private:
  // False for bytes that are no message.
  bool Handle(const WireField& request) {
    switch (request.number) {
      case 1: {
        watch::WatchSpec spec;
        if (!ParseCreate(request.bytes, spec)) return false;
        hub_.Create(stream_, std::move(spec));
        return true;
      }
      case 2: {
        WatchId id;
        if (!ParseCancel(request.bytes, id)) return false;
        hub_.Cancel(stream_, id);
        return true;
      }
      case 3:
        hub_.RequestProgress(stream_);
        return true;
      default:
        return true;  // an empty request is ignored
    }
  }

  const Core& core_;
  watch::WatchHub& hub_;
  const base::StreamSinkPtr sink_;
  const watch::StreamId stream_;
};

}  // namespace

std::unique_ptr<base::StreamHandler> WatchService::Watch(base::CallContextPtr,
                                                         base::StreamSinkPtr sink) const {
  return std::make_unique<WatchCall>(core_, std::move(sink));
}

}  // namespace etcd::api::v3
