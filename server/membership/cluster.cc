#include "server/membership/cluster.h"

#include <algorithm>
#include <charconv>
#include <utility>

#include <nlohmann/json.hpp>

#include "server/base/check.h"
#include "server/base/status.h"
#include "server/storage/engine/buckets.h"

namespace etcd::membership {
namespace {

using engine::Family;
using raft::ConfChangeType;

constexpr std::string_view kClusterVersionKey = "clusterVersion";
constexpr std::string_view kDowngradeKey = "downgrade";

absl::StatusOr<MemberId> ParseHexId(std::string_view text) {
  std::uint64_t value = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value, 16);
  if (error != std::errc() || end != text.data() + text.size()) {
    return base::DataLoss("a member id in the backend is not hex");
  }
  return MemberId(value);
}

absl::Status LoadMembers(const engine::KvEngine& engine, View& view) {
  const auto it = engine.Scan(Family::kMeta, engine::BucketBegin(engine::kBucketMembers),
                              engine::BucketEnd(engine::kBucketMembers));
  for (; it->Valid(); it->Next()) {
    auto decoded = DecodeMember(it->value());
    if (!decoded.ok()) return base::DataLoss("a record of the members bucket is damaged");
    view.members[decoded->member.id] = decoded->member;
  }
  return it->status();
}

absl::Status LoadRemoved(const engine::KvEngine& engine, View& view) {
  const auto it = engine.Scan(Family::kMeta, engine::BucketBegin(engine::kBucketMembersRemoved),
                              engine::BucketEnd(engine::kBucketMembersRemoved));
  for (; it->Valid(); it->Next()) {
    const std::string_view key = engine::StripBucket(engine::kBucketMembersRemoved, it->key());
    ASSIGN_OR_RETURN(const MemberId id, ParseHexId(key));
    view.removed.insert(id);
  }
  return it->status();
}

absl::Status LoadVersions(const engine::KvEngine& engine, View& view) {
  ASSIGN_OR_RETURN(
      const auto version,
      engine.Get(Family::kMeta, engine::MetaKey(engine::kBucketCluster, kClusterVersionKey)));
  view.cluster_version = version.value_or("");
  ASSIGN_OR_RETURN(
      const auto downgrade,
      engine.Get(Family::kMeta, engine::MetaKey(engine::kBucketCluster, kDowngradeKey)));
  if (!downgrade.has_value()) return absl::OkStatus();
  const auto json = nlohmann::json::parse(*downgrade, nullptr, /*allow_exceptions=*/false);
  if (!json.is_object()) return base::DataLoss("the downgrade record is damaged");
  const auto target = json.find("target-version");
  const auto enabled = json.find("enabled");
  DowngradeInfo info;
  if (target != json.end() && target->is_string()) info.target_version = target->get<std::string>();
  if (enabled != json.end() && enabled->is_boolean()) info.enabled = enabled->get<bool>();
  view.downgrade = info;
  return absl::OkStatus();
}

void AppendIds(std::string& out, std::string_view name, const std::vector<MemberId>& ids) {
  if (ids.empty()) return;
  out += '"';
  out += name;
  out += "\":[";
  for (std::size_t i = 0; i < ids.size(); ++i) {
    if (i > 0) out += ',';
    out += std::to_string(ids[i].value());
  }
  out += "],";
}

}  // namespace

absl::Status Cluster::Load(const engine::KvEngine& engine) {
  View view;
  RETURN_IF_ERROR(LoadMembers(engine, view));
  RETURN_IF_ERROR(LoadRemoved(engine, view));
  RETURN_IF_ERROR(LoadVersions(engine, view));
  current_ = std::move(view);
  dirty_ = true;
  Publish();
  return absl::OkStatus();
}

absl::Status Cluster::Validate(const raft::ConfChange& change) const {
  // A removed id never comes back: the member may have acknowledged entries it no longer has.
  if (current_.removed.contains(change.node_id)) return Error(Errc::kMemberNotFound);
  switch (change.type) {
    case ConfChangeType::kAddNode:
    case ConfChangeType::kAddLearnerNode:
      return ValidateAdd(change);
    case ConfChangeType::kUpdateNode:
      return ValidateUpdate(change);
    case ConfChangeType::kRemoveNode:
      return current_.Find(change.node_id) != nullptr ? absl::OkStatus()
                                                      : Error(Errc::kMemberNotFound);
  }
  return Error(Errc::kMemberBadUrls);
}

absl::Status Cluster::ValidateAdd(const raft::ConfChange& change) const {
  const auto context = DecodeMember(change.context);
  if (!context.ok() || context->member.id != change.node_id) return Error(Errc::kMemberBadUrls);
  const Member* existing = current_.Find(change.node_id);
  if (context->is_promote) {
    if (existing == nullptr) return Error(Errc::kMemberNotFound);
    return existing->is_learner ? absl::OkStatus() : Error(Errc::kMemberNotLearner);
  }
  if (existing != nullptr) return Error(Errc::kMemberExists);
  if (UrlInUse(context->member.peer_urls, MemberId())) return Error(Errc::kPeerUrlExists);
  if (change.type != ConfChangeType::kAddLearnerNode) return absl::OkStatus();
  const auto learners = std::count_if(current_.members.begin(), current_.members.end(),
                                      [](const auto& item) { return item.second.is_learner; });
  return static_cast<std::size_t>(learners) < learners_max_ ? absl::OkStatus()
                                                            : Error(Errc::kTooManyLearners);
}

absl::Status Cluster::ValidateUpdate(const raft::ConfChange& change) const {
  if (current_.Find(change.node_id) == nullptr) return Error(Errc::kMemberNotFound);
  const auto context = DecodeMember(change.context);
  if (!context.ok() || context->member.id != change.node_id) return Error(Errc::kMemberBadUrls);
  return UrlInUse(context->member.peer_urls, change.node_id) ? Error(Errc::kPeerUrlExists)
                                                             : absl::OkStatus();
}

bool Cluster::UrlInUse(const std::vector<std::string>& urls, MemberId except) const {
  for (const auto& [id, member] : current_.members) {
    if (id == except) continue;
    for (const std::string& url : member.peer_urls) {
      if (std::find(urls.begin(), urls.end(), url) != urls.end()) return true;
    }
  }
  return false;
}

void Cluster::Apply(const raft::ConfChange& change, engine::WriteBatch& batch) {
  if (change.type == ConfChangeType::kRemoveNode) {
    const std::string id = base::FormatHex(change.node_id.value());
    current_.members.erase(change.node_id);
    current_.removed.insert(change.node_id);
    batch.Delete(Family::kMeta, engine::MetaKey(engine::kBucketMembers, id));
    batch.Put(Family::kMeta, engine::MetaKey(engine::kBucketMembersRemoved, id), "removed");
    dirty_ = true;
    return;
  }
  const auto context = DecodeMember(change.context);
  CHECK(context.ok()) << "a change that was not validated";
  Member& member = current_.members[change.node_id];
  if (change.type == ConfChangeType::kUpdateNode) {
    member.peer_urls = context->member.peer_urls;  // the learner flag stays
  } else if (context->is_promote) {
    member.is_learner = false;
  } else {
    member = context->member;
    member.is_learner = change.type == ConfChangeType::kAddLearnerNode;
  }
  Store(member, batch);
}

void Cluster::SetAttributes(MemberId id, std::string name, std::vector<std::string> client_urls,
                            engine::WriteBatch& batch) {
  const auto it = current_.members.find(id);
  if (it == current_.members.end()) return;
  it->second.name = std::move(name);
  it->second.client_urls = std::move(client_urls);
  Store(it->second, batch);
}

void Cluster::SetClusterVersion(std::string_view version, engine::WriteBatch& batch) {
  current_.cluster_version = std::string(version);
  batch.Put(Family::kMeta, engine::MetaKey(engine::kBucketCluster, kClusterVersionKey),
            current_.cluster_version);
  dirty_ = true;
}

void Cluster::SetDowngrade(const DowngradeInfo& info, engine::WriteBatch& batch) {
  current_.downgrade = info;
  batch.Put(Family::kMeta, engine::MetaKey(engine::kBucketCluster, kDowngradeKey),
            "{\"target-version\":" + QuoteJson(info.target_version) +
                ",\"enabled\":" + (info.enabled ? "true}" : "false}"));
  dirty_ = true;
}

void Cluster::Store(const Member& member, engine::WriteBatch& batch) {
  batch.Put(Family::kMeta,
            engine::MetaKey(engine::kBucketMembers, base::FormatHex(member.id.value())),
            EncodeMember(member));
  dirty_ = true;
}

raft::ConfState Cluster::conf_state() const {
  raft::ConfState state;
  for (const auto& [id, member] : current_.members) {
    (member.is_learner ? state.learners : state.voters).push_back(id);
  }
  return state;
}

void Cluster::Publish() {
  if (!dirty_) return;
  dirty_ = false;
  auto next = std::make_shared<const View>(current_);
  const base::MutexLock lock(mu_);
  published_ = std::move(next);
}

ViewPtr Cluster::view() const {
  const base::MutexLock lock(mu_);
  return published_;
}

std::string EncodeConfState(const raft::ConfState& state) {
  std::string out = "{";
  AppendIds(out, "voters", state.voters);
  AppendIds(out, "learners", state.learners);
  AppendIds(out, "voters_outgoing", state.voters_outgoing);
  AppendIds(out, "learners_next", state.learners_next);
  out += state.auto_leave ? "\"auto_leave\":true}" : "\"auto_leave\":false}";
  return out;
}

}  // namespace etcd::membership
