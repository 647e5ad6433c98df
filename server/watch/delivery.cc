#include <utility>

#include "server/base/failpoint.h"
#include "server/watch/watch_hub_impl.h"

// From the hub to the sinks: messages collect per stream and are handed over at the end of a task.
namespace etcd::watch {
namespace {

// What a response costs beside its events: header, watch id, flags, framing.
constexpr std::size_t kResponseOverheadBytes = 64;

}  // namespace

void WatchHub::Impl::Touch(Stream& stream) {
  if (stream.touched) return;
  stream.touched = true;
  stream.pending_bytes = stream.sink->PendingBytes();
  touched_.push_back(&stream);
}

WatchMessage& WatchHub::Impl::Append(Stream& stream) {
  Touch(stream);
  return stream.outbox.emplace_back();
}

bool WatchHub::Impl::Offer(Watcher& watcher, Revision header, const EventBlock& block) {
  Stream& stream = *watcher.stream;
  Touch(stream);
  if (stream.pending_bytes >= options_.stream_pending_bytes_max) stream.blocked = true;
  if (stream.blocked) return false;
  const std::size_t bytes = block.bytes.bytes.size() + kResponseOverheadBytes;
  stream.pending_bytes += bytes;
  watcher.idle = false;
  if (observer_ != nullptr) observer_->OnEvents(block.events);
  if (watcher.fragment && bytes >= options_.fragment_bytes && block.events > 1) {
    OfferFragments(watcher, header, block.bytes);
    return true;
  }
  WatchMessage& message = stream.outbox.emplace_back();
  message.watch_id = watcher.id;
  message.header_revision = header;
  message.events = block.bytes;
  return true;
}

// The pieces stand next to each other in the outbox: clients drop other watchers' responses that
// come between them.
void WatchHub::Impl::OfferFragments(Watcher& watcher, Revision header, const base::Slice& block) {
  auto pieces = SplitBlock(block, options_.fragment_bytes - kResponseOverheadBytes);
  for (std::size_t i = 0; i < pieces.size(); ++i) {
    WatchMessage& message = watcher.stream->outbox.emplace_back();
    message.watch_id = watcher.id;
    message.header_revision = header;
    message.fragment = i + 1 < pieces.size();
    message.events = std::move(pieces[i]);
  }
}

void WatchHub::Impl::Flush() {
  for (Stream* stream : touched_) {
    stream->touched = false;
    if (!stream->outbox.empty()) {
      FAILPOINT("beforeSendWatchResponse");
      stream->sink->Deliver(stream->outbox);
      stream->outbox.clear();
    }
    if (stream->blocked && !stream->notify_asked) AskForRoom(*stream);
  }
  touched_.clear();
}

void WatchHub::Impl::AskForRoom(Stream& stream) {
  stream.notify_asked = true;
  stream.sink->NotifyWhenBelow(options_.stream_pending_bytes_max / 2,
                               [weak = weak_from_this(), id = stream.id] {
                                 if (const auto self = weak.lock())
                                   self->Post([id](Impl& impl) { impl.Unblock(id); });
                               });
}

}  // namespace etcd::watch
