#include "server/watch/watch_hub.h"

#include <utility>

#include "server/watch/watch_hub_impl.h"

namespace etcd::watch {

WatchHub::WatchHub(mvcc::Store& store, base::Executor& executor,
                   std::unique_ptr<base::Random> random, WatchObserver* observer,
                   WatchOptions options)
    : impl_(std::make_shared<Impl>(store, executor, std::move(random), observer, options)) {}

WatchHub::~WatchHub() = default;

WatchHub::Impl::Impl(mvcc::Store& store, base::Executor& executor,
                     std::unique_ptr<base::Random> random, WatchObserver* observer,
                     WatchOptions options)
    : executor_(executor),
      random_(std::move(random)),
      observer_(observer),
      options_(options),
      apply_store_(&store),
      store_(&store),
      revision_(store.current_revision()),
      recent_(options.recent_bytes_max) {}

StreamId WatchHub::OpenStream(std::shared_ptr<WatchSink> sink) {
  const StreamId id = impl_->NextStreamId();
  impl_->Post([id, s = std::move(sink)](Impl& impl) mutable { impl.Open(id, std::move(s)); });
  return id;
}

void WatchHub::Create(StreamId stream, WatchSpec spec) {
  impl_->Post(
      [stream, s = std::move(spec)](Impl& impl) mutable { impl.Create(stream, std::move(s)); });
}

void WatchHub::Cancel(StreamId stream, WatchId id) {
  impl_->Post([stream, id](Impl& impl) { impl.Cancel(stream, id); });
}

void WatchHub::RequestProgress(StreamId stream) {
  impl_->Post([stream](Impl& impl) { impl.RequestProgress(stream); });
}

void WatchHub::CloseStream(StreamId stream) {
  impl_->Post([stream](Impl& impl) { impl.Close(stream); });
}

void WatchHub::OnRevisions(const RevisionBatch& revisions) { impl_->Enqueue(revisions); }

void WatchHub::Restored(mvcc::Store& store, absl::AnyInvocable<void()> done) {
  impl_->EnqueueRestored(store, std::move(done));
}

void WatchHub::Stop() {
  impl_->Post([](Impl& impl) { impl.Stop(); });
}

}  // namespace etcd::watch
