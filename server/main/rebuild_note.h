#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include <absl/status/status.h>
#include <absl/status/statusor.h>

#include "server/base/file_system.h"
#include "server/base/ids.h"

// Two small files beside the data of a member, written whole or not at all.
namespace etcd::server {

// member/identity: who this member is and where others were, so that this is known when everything
// else is damaged. Written at every start.
struct Identity {
  ClusterId cluster;
  MemberId member;
  std::vector<std::string> peer_urls;  // of the other members

  bool operator==(const Identity&) const = default;
};

// nullopt: there is none, or it cannot be read.
std::optional<Identity> ReadIdentity(base::FileSystem& file_system, const std::string& dir);
absl::Status WriteIdentity(base::FileSystem& file_system, const std::string& dir,
                           const Identity& identity);

// member/rebuild: how far the replacement of damaged data has got.
struct RebuildNote {
  enum class State : std::uint8_t {
    kDamaged,    // the data is damaged; nothing was done about it
    kAsking,     // the others were asked, this member may have been removed
    kReplacing,  // it has been; the files go aside
    kJoining,    // they have gone; until the new member works
  };
  State state = State::kDamaged;
  std::string reason = {};  // what is damaged
  MemberId successor = {};  // who this member becomes; from kReplacing on
  bool was_voter = false;   // so is the successor to be; from kAsking on
  // Of this member, as the cluster knows them; from kAsking on.
  std::vector<std::string> peer_urls = {};
};

// nullopt: there is none. kDataLoss when it cannot be read.
absl::StatusOr<std::optional<RebuildNote>> ReadRebuildNote(base::FileSystem& file_system,
                                                           const std::string& dir);
absl::Status WriteRebuildNote(base::FileSystem& file_system, const std::string& dir,
                              const RebuildNote& note);
absl::Status RemoveRebuildNote(base::FileSystem& file_system, const std::string& dir);

}  // namespace etcd::server
