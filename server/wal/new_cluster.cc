#include "server/wal/new_cluster.h"

#include <algorithm>
#include <optional>
#include <utility>

#include "server/raftcodec/raftpb.h"

namespace etcd::wal {

std::vector<membership::Member> NewMembers(
    const std::map<std::string, std::vector<std::string>>& urls_by_name, std::string_view token) {
  std::vector<membership::Member> members;
  for (const auto& [name, urls] : urls_by_name) {
    membership::Member member;
    member.id = membership::MakeMemberId(urls, token, std::nullopt);
    member.peer_urls = urls;
    std::ranges::sort(member.peer_urls);
    member.name = name;
    members.push_back(std::move(member));
  }
  std::ranges::sort(members, {}, &membership::Member::id);
  return members;
}

std::vector<raft::Entry> NewClusterEntries(std::span<const membership::Member> members) {
  std::vector<raft::Entry> entries;
  for (const membership::Member& member : members) {
    raft::ConfChange change;
    change.type = raft::ConfChangeType::kAddNode;
    change.node_id = member.id;
    change.context = membership::EncodeMember(member);
    entries.push_back({.term = Term(1),
                       .index = Index(entries.size() + 1),
                       .type = raft::EntryType::kConfChange,
                       .data = raftcodec::Encode(change)});
  }
  return entries;
}

}  // namespace etcd::wal
