#pragma once

#include <cstdint>
#include <map>
#include <memory>
#include <optional>
#include <set>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include <absl/status/statusor.h>

#include "server/base/ids.h"

namespace etcd::membership {

// A member as the cluster knows it. Unstarted members have neither name nor client URLs.
struct Member {
  MemberId id;
  std::vector<std::string> peer_urls;
  bool is_learner = false;
  std::string name;
  std::vector<std::string> client_urls;

  bool operator==(const Member&) const = default;
};

struct DowngradeInfo {
  std::string target_version;  // "3.5.0"
  bool enabled = false;
};

// The cluster's membership at one applied index. Immutable; shared between threads.
struct View {
  std::map<MemberId, Member> members;
  std::set<MemberId> removed;
  std::string cluster_version;  // "3.6.0"; "" before it is decided
  std::optional<DowngradeInfo> downgrade;

  const Member* Find(MemberId id) const {
    const auto it = members.find(id);
    return it == members.end() ? nullptr : &it->second;
  }
};
using ViewPtr = std::shared_ptr<const View>;

// First 8 bytes, big-endian, of SHA-1(sorted peer URLs + token [+ decimal unix seconds]): without
// seconds at bootstrap, with an empty token and seconds for a member added later.
MemberId MakeMemberId(std::vector<std::string> peer_urls, std::string_view token,
                      std::optional<std::int64_t> unix_seconds);

// The same of all initial member ids, ascending, 8 bytes each.
ClusterId MakeClusterId(std::vector<MemberId> ids);

// Context of a configuration change: the Member, or the promotion of one.
struct ConfChangeContext {
  Member member;
  bool is_promote = false;
};

// Go's JSON of a Member, as in the members bucket and in ConfChange contexts:
// {"id":1,"peerURLs":["http://h:2380"],"isLearner":true,"name":"n0","clientURLs":[...]}; `id` and
// `peerURLs` always, the others unless empty.
std::string EncodeMember(const Member& member);
std::string EncodePromotion(MemberId id);
// Keys match in any case, unknown ones are ignored, peerURLs may be null, ids are exact 64 bits.
// kInvalidArgument when it is no such object.
absl::StatusOr<ConfChangeContext> DecodeMember(std::string_view json);

// The list that /members answers with: a JSON array, ascending by id.
std::string EncodeMembers(const View& view);
absl::StatusOr<std::vector<Member>> DecodeMembers(std::string_view json);

// {"name":"n1","clientURLs":["http://..."]}: the attributes a member publishes (v2 form).
std::string EncodeAttributes(const Member& member);
absl::StatusOr<Member> DecodeAttributes(std::string_view json);
// {"peerURLs":[...],"isLearner":true}
std::string EncodeRaftAttributes(const Member& member);
absl::StatusOr<Member> DecodeRaftAttributes(std::string_view json);

// A JSON string literal as Go's encoder writes it (<, >, & escaped).
std::string QuoteJson(std::string_view text);

}  // namespace etcd::membership
