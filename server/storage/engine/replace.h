#pragma once

#include <absl/status/status.h>

#include "server/storage/engine/kv_engine.h"

namespace etcd::engine {

// New content for an engine, built beside what it holds: how a member takes over the database that
// a peer sent (server/image/import.h fills one from a bbolt image). Got from
// KvEngine::StartReplacement; one at a time for each engine. Destroyed without Commit: the engine
// is as it was and what was built is removed, by the next start when the process died.
//
//   ASSIGN_OR_RETURN(auto replacement, engine.StartReplacement());
//   replacement->Write(...) as often as needed; the engine goes on serving and taking writes
//   replacement->Commit()
//   then load store, lessor, cluster, alarms, auth, consistent index again
//
// Not thread-safe; must not outlive the engine.
class Replacement {
 public:
  virtual ~Replacement() = default;

  // Adds to the new content, which starts empty. Seen by nobody before Commit. Blocks while what
  // was written goes to disk; memory stays bounded however much comes. ResourceExhausted when the
  // disk is full: drop the replacement.
  virtual absl::Status Write(const WriteBatch& batch) = 0;

  // Replaces everything that the engine holds, in all families, in one step that is durable when
  // this returns: a crash before leaves the old content (as durable as it was), a crash after the
  // new one, whole. Nothing else may write to the engine meanwhile. Reads that begin later see the
  // new content; iterators and views that are alive keep showing the old one. At most once, and
  // last. After an error the engine still holds the old content, but after any code other than
  // ResourceExhausted the member must stop, since a restart may find the new one.
  virtual absl::Status Commit() = 0;
};

}  // namespace etcd::engine
