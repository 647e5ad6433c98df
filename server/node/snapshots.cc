#include "server/node/snapshots.h"

#include <utility>

#include "server/base/log.h"
#include "server/base/status.h"
#include "server/v2store/document.h"

namespace etcd::node {
namespace {

v2store::Document DocumentOf(const membership::View& view) {
  v2store::Document document;
  for (const auto& [id, member] : view.members) {
    const bool published = !member.name.empty();
    document.members.push_back({id, membership::EncodeRaftAttributes(member),
                                published ? membership::EncodeAttributes(member) : ""});
  }
  document.removed.assign(view.removed.begin(), view.removed.end());
  document.version = view.cluster_version;
  return document;
}

}  // namespace

void Snapshots::OnApplied(Index index, Term term) {
  if (index - last_ <= shared_.options.snapshot_count || shared_.is_stopping.load()) return;
  if (running_.exchange(true)) return;
  last_ = index;
  raft::Snapshot snapshot;
  snapshot.metadata = {shared_.cluster.conf_state(), index, term};
  snapshot.data = v2store::Render(DocumentOf(shared_.cluster.current()));
  shared_.ports.snapshot.Post([this, snapshot = std::move(snapshot)] { Save(snapshot); });
}

void Snapshots::Save(const raft::Snapshot& snapshot) {
  if (shared_.halted()) return;
  if (Done(shared_.ports.engine.Flush(), "flush the backend")) return;
  if (Done(snapshotter_->Save(snapshot), "save the snapshot")) return;
  LOG_INFO("saved snapshot", {"snapshot-index", snapshot.metadata.index});
  if (shared_.ports.observer != nullptr) {
    shared_.ports.observer->OnSnapshot(snapshot.metadata.index);
  }
  shared_.ports.raft.Post([this, metadata = snapshot.metadata] {
    if (!saved_(metadata)) return running_.store(false);
    shared_.ports.snapshot.Post([this] { Purge(); });
  });
}

// Only now: until the log names the new file, a restart needs an older one.
void Snapshots::Purge() {
  if (shared_.options.max_snapshots > 0) {
    if (auto purged = snapshotter_->Purge(shared_.options.max_snapshots); !purged.ok()) {
      LOG_WARN("failed to purge snapshots", {"error", purged.status()});
    }
  }
  running_.store(false);
}

// True when the snapshot ends here: without room the next one will do, anything else is fatal.
bool Snapshots::Done(const absl::Status& status, const char* what) {
  if (status.ok()) return false;
  if (status.code() == absl::StatusCode::kResourceExhausted) {
    LOG_WARN("no room for a snapshot", {"error", status});
    running_.store(false);
  } else {
    shared_.Halt(std::string("failed to ") + what, status);
  }
  return true;
}

void Snapshots::Finish(absl::AnyInvocable<void()> done) {
  shared_.ports.snapshot.Post([this, done = std::move(done)]() mutable {
    if (!shared_.halted()) {
      base::IgnoreError(shared_.ports.engine.Flush(), "the log has it all");
    }
    done();
  });
}

}  // namespace etcd::node
