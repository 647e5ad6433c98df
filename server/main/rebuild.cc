#include "server/main/rebuild.h"

#include <algorithm>
#include <chrono>
#include <future>
#include <memory>
#include <thread>
#include <utility>

#include <fmt/format.h>
#include <nlohmann/json.hpp>

#include "server/base/log.h"
#include "server/base/status.h"
#include "server/main/bootstrap.h"
#include "server/main/data_dir.h"
#include "server/main/options.h"
#include "server/rafthttp/transport.h"
#include "server/wal/segments.h"

namespace etcd::server {
namespace {

using State = RebuildNote::State;

// The others may just be looking for a leader, or have not noticed yet that this member is down.
constexpr std::chrono::seconds kPatience(15);
constexpr std::chrono::milliseconds kPause(500);
constexpr std::chrono::seconds kListTimeout(1);
// The leader hashes its whole data before it answers.
constexpr std::chrono::minutes kAskTimeout(10);
constexpr std::chrono::seconds kPromotionPause(2);

absl::Status Failed(const std::string& message) {
  return base::MakeStatus(absl::StatusCode::kFailedPrecondition, message);
}

// Asking again would not help.
constexpr absl::StatusCode kFinal = absl::StatusCode::kAborted;
absl::Status Final(const std::string& message) { return base::MakeStatus(kFinal, message); }

absl::Status Unavailable(const std::string& message) {
  return base::MakeStatus(absl::StatusCode::kUnavailable, message);
}

struct Place {
  MemberId id;  // to be
};

absl::StatusOr<Place> ParsePlace(const ports::PeerReply& reply) {
  std::string text = reply.body.substr(0, reply.body.find('\n'));
  if (reply.status == 412) return Failed(text);
  if (reply.status == 404 && text == "404 page not found") {
    return base::MakeStatus(absl::StatusCode::kUnimplemented,
                            "the leader is of another make, which cannot replace it");
  }
  if (reply.status != 200) return Unavailable(text);
  const auto json = nlohmann::json::parse(reply.body, nullptr, /*allow_exceptions=*/false);
  if (!json.is_object() || !json.contains("id") || !json["id"].is_number_unsigned()) {
    return Unavailable("the answer cannot be read");
  }
  return Place{MemberId(json["id"].get<std::uint64_t>())};
}

}  // namespace

Rebuild::Rebuild(const config::Config& config, base::FileSystem& file_system)
    : config_(config), file_system_(file_system), dir_(config.data_dir + "/member") {}

absl::Status Rebuild::Resume() {
  identity_ = ReadIdentity(file_system_, dir_);
  ASSIGN_OR_RETURN(note_, ReadRebuildNote(file_system_, dir_));
  if (!note_.has_value() || is_joining()) return absl::OkStatus();
  if (is_in(State::kReplacing)) return SetAside();
  if (!is_allowed()) {
    LOG_WARN("the data of this member was found to be damaged", {"damage", note_->reason});
    return absl::OkStatus();
  }
  absl::Status replaced = Run(base::DataLoss(note_->reason));
  // It has been removed because it asked for that; its data is of no use any more.
  if (replaced.ok() || (!is_listed_ && is_in(State::kAsking))) return replaced;
  LOG_WARN("the damaged data was not replaced; starting with it", {"error", replaced});
  return absl::OkStatus();
}

bool Rebuild::Covers(const absl::Status& status) const {
  return is_allowed() && status.code() == absl::StatusCode::kDataLoss;
}

absl::Status Rebuild::Run(const absl::Status& damage) {
  const std::string reason(base::MessageOf(damage));
  LOG_ERROR("the data of this member is damaged; asking the other members to replace it",
            {"damage", reason});
  if (!note_.has_value()) note_ = RebuildNote{.reason = reason};
  const auto refuse = [&](const absl::Status& why) {
    return base::DataLoss(
        fmt::format("{}; not rebuilt from the other members: {}", reason, base::MessageOf(why)));
  };
  if (!identity_.has_value()) return refuse(Failed("it is not known which member this is"));
  rafthttp::Transport client(MakePeerOptions(config_));
  const auto give_up = std::chrono::steady_clock::now() + kPatience;
  absl::Status asked = Ask(*identity_, client);
  while (!asked.ok() && asked.code() != kFinal && std::chrono::steady_clock::now() < give_up) {
    std::this_thread::sleep_for(kPause);
    asked = Ask(*identity_, client);
  }
  client.Stop();
  return asked.ok() ? SetAside() : refuse(asked);
}

absl::Status Rebuild::Save(State state) {
  note_->state = state;
  return WriteRebuildNote(file_system_, dir_, *note_);
}

std::vector<std::string> Rebuild::KnownUrls() const {
  std::vector<std::string> urls =
      identity_.has_value() ? identity_->peer_urls : std::vector<std::string>();
  for (const auto& [name, given] : config_.initial_members) {
    if (name != config_.name) urls.insert(urls.end(), given.begin(), given.end());
  }
  std::sort(urls.begin(), urls.end());
  urls.erase(std::unique(urls.begin(), urls.end()), urls.end());
  return urls;
}

// ---- Asking

absl::Status Rebuild::Ask(const Identity& identity, ports::PeerClient& client) {
  const std::vector<std::string> urls = KnownUrls();
  if (urls.empty()) return Final("there is no other member: it may be the last good copy");
  const auto listed = FetchCluster(urls, client, kListTimeout);
  if (!listed.has_value()) return Unavailable("no other member answers");
  if (listed->id != identity.cluster) return Final("the others are another cluster");
  // What was removed because this member asked for it, it may ask back; nothing else.
  const bool resumes = is_in(State::kAsking);
  const auto own = std::ranges::find(listed->members, identity.member, &membership::Member::id);
  is_listed_ = own != listed->members.end();
  if (is_listed_) {
    // A learner again, if the last replacement has not come to its end.
    note_->was_voter = note_->was_voter || !own->is_learner;
    note_->peer_urls = own->peer_urls;
  } else if (!resumes) {
    return Final("this member was removed from the cluster");
  }
  RETURN_IF_ERROR(Save(State::kAsking));
  absl::Status asked = AskLeader(identity, *listed, resumes, client);
  const bool is_refused = asked.code() == absl::StatusCode::kFailedPrecondition;
  if (is_refused && is_listed_) RETURN_IF_ERROR(Save(State::kDamaged));
  return asked;
}

// All of the others at once, since only the leader acts.
absl::Status Rebuild::AskLeader(const Identity& identity, const node::ListedCluster& listed,
                                bool resumes, ports::PeerClient& client) {
  const nlohmann::json body = {
      {"id", identity.member.value()}, {"peerURLs", note_->peer_urls}, {"resumes", resumes}};
  std::vector<std::future<absl::StatusOr<ports::PeerReply>>> answers;
  for (const membership::Member& member : listed.members) {
    if (member.id == identity.member || member.peer_urls == note_->peer_urls) continue;
    for (const std::string& url : member.peer_urls) {
      const auto answer = std::make_shared<std::promise<absl::StatusOr<ports::PeerReply>>>();
      answers.push_back(answer->get_future());
      ports::PeerRequest request{
          .method = "POST",
          .path = "/members/rebuild",
          .headers = {{"Content-Type", "application/json"},
                      {"X-Etcd-Cluster-ID", base::FormatHex(identity.cluster.value())}},
          .body = body.dump()};
      client.Ask(url, std::move(request), kAskTimeout,
                 [answer](absl::StatusOr<ports::PeerReply> reply) {
                   answer->set_value(std::move(reply));
                 });
    }
  }
  absl::Status why = Unavailable("no other member leads");
  for (auto& answer : answers) {
    const absl::StatusOr<ports::PeerReply> reply = answer.get();
    const auto place = reply.ok() ? ParsePlace(*reply) : absl::StatusOr<Place>(reply.status());
    if (place.ok()) {
      note_->successor = place->id;
      return Save(State::kReplacing);
    }
    const absl::StatusCode code = place.status().code();
    const bool is_refused = why.code() == absl::StatusCode::kFailedPrecondition;
    if (code == absl::StatusCode::kFailedPrecondition ||
        (code == absl::StatusCode::kUnimplemented && !is_refused)) {
      why = place.status();
    }
  }
  return why;
}

// ---- Setting aside

// Moves that a crash has interrupted are simply gone on with: what has moved is not moved again.
absl::Status Rebuild::SetAside() {
  const std::string aside = dir_ + "/damaged";
  const std::string log = config_.wal_dir.empty() ? dir_ + "/wal" : config_.wal_dir;
  const std::string log_aside = config_.wal_dir.empty() ? aside + "/wal" : log + ".damaged";
  ASSIGN_OR_RETURN(const auto lock, DataDir::Open(file_system_, config_.data_dir, config_.wal_dir));
  const std::string begun = aside + "/for-" + base::FormatHex(note_->successor.value());
  if (!file_system_.Exists(begun)) {  // what is there is of an earlier replacement
    RETURN_IF_ERROR(file_system_.RemoveAll(aside));
    RETURN_IF_ERROR(file_system_.RemoveAll(log_aside));
    RETURN_IF_ERROR(file_system_.CreateDirs(begun));
  }
  const std::pair<std::string, std::string> moves[] = {
      {dir_ + "/rocksdb", aside + "/rocksdb"}, {dir_ + "/snap", aside + "/snap"}, {log, log_aside}};
  for (const auto& [from, to] : moves) {
    if (!file_system_.Exists(from) || file_system_.Exists(to)) continue;
    RETURN_IF_ERROR(file_system_.Rename(from, to));
    RETURN_IF_ERROR(file_system_.SyncDir(wal::ParentOf(from)));
    RETURN_IF_ERROR(file_system_.SyncDir(wal::ParentOf(to)));
  }
  RETURN_IF_ERROR(Save(State::kJoining));
  LOG_WARN("set the damaged data aside; starting over as a new member",
           {"local-member-id", base::FormatHex(note_->successor.value())},
           {"kept-in", std::vector<std::string>{aside, log_aside}});
  return absl::OkStatus();
}

// ---- Starting over

absl::StatusOr<node::JoinedCluster> Rebuild::Join(ports::PeerClient& client) const {
  if (!identity_.has_value()) return Failed("it is not known which cluster this member is of");
  return AskToRejoin(KnownUrls(), identity_->cluster, note_->successor, client);
}

void Rebuild::NoteMembers(const node::Member& member,
                          const std::vector<membership::Member>& joined) {
  Identity identity{member.cluster_id(), member.member_id(), {}};
  const auto add = [&](MemberId id, const std::vector<std::string>& urls) {
    if (id == identity.member) return;
    identity.peer_urls.insert(identity.peer_urls.end(), urls.begin(), urls.end());
  };
  for (const node::MemberInfo& other : member.Members()) add(other.id, other.peer_urls);
  if (identity.peer_urls.empty()) {
    for (const membership::Member& other : joined) add(other.id, other.peer_urls);
  }
  const absl::Status written = WriteIdentity(file_system_, dir_, identity);
  if (!written.ok()) LOG_WARN("failed to note who this member is", {"error", written});
}

void Rebuild::NoteDamage(const absl::Status& status) {
  if (!Covers(status) || file_system_.Exists(dir_ + "/rebuild")) return;
  const RebuildNote note{.reason = std::string(base::MessageOf(status))};
  const absl::Status written = WriteRebuildNote(file_system_, dir_, note);
  if (!written.ok()) LOG_ERROR("failed to note the damage", {"error", written});
}

void Rebuild::Finish(node::Member& member, base::Executor& executor) {
  if (!is_joining()) return;
  executor.PostAfter(kPromotionPause, [this, &member, &executor] {
    if (!note_->was_voter || !member.status().is_learner) {
      return Forget(member.member_id());
    }
    member.PromoteMember(member.member_id(), {}, [this, &member, &executor](const auto& promoted) {
      if (!promoted.ok()) {
        LOG_INFO("not promoted yet", {"reason", promoted.status()});
      }
      Finish(member, executor);
    });
  });
}

void Rebuild::Forget(MemberId id) const {
  const absl::Status removed = RemoveRebuildNote(file_system_, dir_);
  if (!removed.ok()) {
    LOG_WARN("failed to remove the note of a replacement", {"error", removed});
    return;
  }
  LOG_INFO("rebuilt the data of this member from the other members",
           {"local-member-id", base::FormatHex(id.value())});
}

}  // namespace etcd::server
