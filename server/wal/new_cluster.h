#pragma once

#include <map>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "server/membership/member.h"
#include "server/raft/types.h"

// What the log of every member of a new cluster begins with: each writes it by itself, so ids and
// bytes are functions of --initial-cluster and its token.
namespace etcd::wal {

// Ascending by id; `urls_by_name` are the peer URLs of each.
std::vector<membership::Member> NewMembers(
    const std::map<std::string, std::vector<std::string>>& urls_by_name, std::string_view token);

// Entries 1..N of term 1, which add the members in their order.
std::vector<raft::Entry> NewClusterEntries(std::span<const membership::Member> members);

}  // namespace etcd::wal
