#pragma once

#include <optional>
#include <string>
#include <vector>

#include <absl/status/status.h>
#include <absl/status/statusor.h>

#include "server/base/executor.h"
#include "server/base/file_system.h"
#include "server/config/config.h"
#include "server/main/rebuild_note.h"
#include "server/node/join.h"
#include "server/node/member.h"
#include "server/ports/peer_client.h"

namespace etcd::server {

// --auto-rebuild, on the side of the member with damaged data (the leader's side, and why this is
// safe: node/readmission.h). It asks the leader for a place to start over, sets its files aside in
// member/damaged once it has one, joins with an empty directory as any new member does, and becomes
// a voter again when it has caught up. Every step is noted first, so that a crash anywhere goes on
// at the next start. Owner: the main thread, except where said.
class Rebuild {
 public:
  Rebuild(const config::Config& config, base::FileSystem& file_system);

  // Reads the note of an earlier run, and goes on with it: sets aside what must go; asks again for
  // data that an earlier run found damaged. When the others refuse that, the start goes on with the
  // data as it is. An error: the start cannot go on.
  absl::Status Resume();

  // A start failed with `status`: whether it is damage that may be replaced.
  bool Covers(const absl::Status& status) const;
  // Asks the others for up to a quarter of a minute and sets the data aside. The error says what is
  // damaged and why it was not replaced; the data is then as it was.
  absl::Status Run(const absl::Status& damage);

  // This run fills an emptied directory, or goes on doing so.
  bool is_joining() const { return is_in(RebuildNote::State::kJoining); }
  absl::StatusOr<node::JoinedCluster> Join(ports::PeerClient& client) const;
  // Whether a CORRUPT alarm for this member should halt it: unless that was tried and refused.
  bool halts_when_corrupt() const { return is_allowed() && !note_.has_value(); }

  // Where the others are, for the next time.
  void NoteMembers(const node::Member& member, const std::vector<membership::Member>& joined);
  // Before the process ends because of `status`. Any thread.
  void NoteDamage(const absl::Status& status);
  // The member serves: makes it a voter again once it is in sync, then forgets the note. Runs on
  // `executor`; `member` lives until that has stopped.
  void Finish(node::Member& member, base::Executor& executor);

 private:
  bool is_allowed() const { return config_.auto_rebuild && !config_.force_new_cluster; }
  bool is_in(RebuildNote::State state) const { return note_.has_value() && note_->state == state; }
  absl::Status Save(RebuildNote::State state);
  std::vector<std::string> KnownUrls() const;
  absl::Status Ask(const Identity& identity, ports::PeerClient& client);
  absl::Status AskLeader(const Identity& identity, const node::ListedCluster& listed, bool resumes,
                         ports::PeerClient& client);
  absl::Status SetAside();
  void Forget(MemberId id) const;

  const config::Config config_;
  base::FileSystem& file_system_;
  const std::string dir_;  // <data-dir>/member
  std::optional<Identity> identity_;
  std::optional<RebuildNote> note_;
  bool is_listed_ = true;  // still a member, as the others last said
};

}  // namespace etcd::server
