#include "server/apply/entry_check.h"

#include <algorithm>
#include <array>
#include <charconv>
#include <cstdint>
#include <etcdserverpb/raft_internal.pb.h>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include <google/protobuf/arena.h>
#include <google/protobuf/descriptor.h>
#include <google/protobuf/message.h>

#include "server/apply/alarms.h"
#include "server/apply/legacy_request.h"
#include "server/base/status.h"
#include "server/base/utf8.h"
#include "server/config/urls.h"
#include "server/raftcodec/raftpb.h"

namespace etcd::apply {
namespace {

using etcdserverpb::InternalRaftRequest;
using google::protobuf::FieldDescriptor;
using google::protobuf::Message;

// Fields of InternalRaftRequest that are no operation.
constexpr int kIdField = 1;
constexpr int kHeaderField = 100;
// From here on only operations whose texts are strings in etcd's schema, which 3.7 wants in UTF-8.
constexpr int kFirstTextField = 1000;

constexpr std::string_view kMembers = "/0/members/";
constexpr std::string_view kAttributes = "/attributes";

absl::Status Bad(std::string_view why) {
  return base::MakeStatus(absl::StatusCode::kInvalidArgument, why);
}

bool IsNumber(std::string_view text, int& value) {
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
  return error == std::errc() && end == text.data() + text.size() && value >= 0;
}

// "3.<minor>.<patch>" up to `minor_max`: Go panics on what is no version, and stops on one that is
// newer than itself.
bool IsVersion(std::string_view text, int minor_max) {
  if (!text.starts_with("3.")) return false;
  text.remove_prefix(2);
  const std::size_t dot = text.find('.');
  int minor = 0;
  int patch = 0;
  return dot != std::string_view::npos && IsNumber(text.substr(0, dot), minor) &&
         IsNumber(text.substr(dot + 1), patch) && minor <= minor_max;
}

bool IsMember(MemberId id, const EntryRules& rules) {
  return rules.members == nullptr || rules.members->Find(id) != nullptr ||
         rules.members->removed.contains(id);
}

// ---- v2 requests

absl::StatusOr<MemberId> IdOfAttributesPath(std::string_view path) {
  path.remove_prefix(kMembers.size());
  path.remove_suffix(kAttributes.size());
  std::uint64_t id = 0;
  const auto [end, error] = std::from_chars(path.data(), path.data() + path.size(), id, 16);
  if (path.size() > 16 || error != std::errc() || end != path.data() + path.size()) {
    return Bad("malformed path of a member");
  }
  return MemberId(id);
}

absl::Status CheckLegacy(const LegacyRequest& request, const EntryRules& rules) {
  constexpr std::array<std::string_view, 5> kMethods = {"PUT", "POST", "DELETE", "QGET", "SYNC"};
  if (std::ranges::find(kMethods, request.method) == kMethods.end()) return Bad("no request");
  // 3.7 has no v2 requests at all.
  if (rules.newest_foreign_minor >= 7) return Bad("a v2 request, which members do not know");
  if (request.method == "PUT" && request.path == "/0/version") {
    return IsVersion(request.value, rules.own_minor) ? absl::OkStatus() : Bad("bad version");
  }
  if (request.method == "PUT" && request.path.size() > kMembers.size() + kAttributes.size() &&
      request.path.starts_with(kMembers) && request.path.ends_with(kAttributes)) {
    ASSIGN_OR_RETURN(const MemberId id, IdOfAttributesPath(request.path));
    if (!membership::DecodeAttributes(request.value).ok()) return Bad("malformed attributes");
    return IsMember(id, rules) ? absl::OkStatus() : Bad("attributes of an unknown member");
  }
  // 3.6 stops at everything else.
  if (rules.newest_foreign_minor >= 6) return Bad("a v2 request, which members do not know");
  const bool no_path = request.method == "QGET" || request.method == "SYNC";
  const bool is_users = request.path.starts_with("/1/") || request.path.starts_with("/2/");
  return no_path || is_users ? absl::OkStatus() : Bad("a v2 request outside of the users' keys");
}

// ---- Requests

bool HasOneOperation(const InternalRaftRequest& request) {
  std::vector<const FieldDescriptor*> fields;
  request.GetReflection()->ListFields(request, &fields);
  return std::ranges::count_if(fields, [](const FieldDescriptor* field) {
           return field->number() != kIdField && field->number() != kHeaderField;
         }) == 1;
}

// Names, tokens, versions: everything but keys and values.
bool HasTextInUtf8(const Message& message) {
  const auto* reflection = message.GetReflection();
  std::vector<const FieldDescriptor*> fields;
  reflection->ListFields(message, &fields);
  for (const FieldDescriptor* field : fields) {
    const int count = field->is_repeated() ? reflection->FieldSize(message, field) : 1;
    for (int i = 0; i < count; ++i) {
      if (field->cpp_type() == FieldDescriptor::CPPTYPE_MESSAGE) {
        const Message& child = field->is_repeated()
                                   ? reflection->GetRepeatedMessage(message, field, i)
                                   : reflection->GetMessage(message, field);
        if (!HasTextInUtf8(child)) return false;
      } else if (field->cpp_type() == FieldDescriptor::CPPTYPE_STRING && field->name() != "key" &&
                 field->name() != "range_end") {
        const std::string text = field->is_repeated()
                                     ? reflection->GetRepeatedString(message, field, i)
                                     : reflection->GetString(message, field);
        if (!base::IsValidUtf8(text)) return false;
      }
    }
  }
  return true;
}

bool IsAfterKeys(const InternalRaftRequest& r) {
  std::vector<const FieldDescriptor*> fields;
  r.GetReflection()->ListFields(r, &fields);
  return !fields.empty() && fields.back()->number() >= kFirstTextField;
}

absl::Status CheckAlarm(const etcdserverpb::AlarmRequest& alarm) {
  const int action = alarm.action();
  const int type = alarm.alarm();
  const bool known = action >= etcdserverpb::AlarmRequest::GET &&
                     action <= etcdserverpb::AlarmRequest::DEACTIVATE && type >= kAlarmNone &&
                     type <= kAlarmCorrupt;
  return known ? absl::OkStatus() : Bad("unknown alarm");
}

absl::Status CheckOfCluster(const InternalRaftRequest& r, const EntryRules& rules) {
  const bool since_3_5 = r.has_auth_status() || r.has_cluster_version_set() ||
                         r.has_cluster_member_attr_set() || r.has_downgrade_info_set();
  if ((since_3_5 && rules.oldest_minor < 5) ||
      (r.has_downgrade_version_test() && rules.oldest_minor < 6)) {
    return Bad("an operation that older members do not know");
  }
  if (r.has_cluster_version_set() && !IsVersion(r.cluster_version_set().ver(), rules.own_minor)) {
    return Bad("bad version");
  }
  const auto& downgrade = r.downgrade_info_set();
  if (downgrade.enabled() && !IsVersion(downgrade.ver(), rules.own_minor)) {
    return Bad("bad version");
  }
  if (!r.has_cluster_member_attr_set()) return absl::OkStatus();
  const auto& set = r.cluster_member_attr_set();
  if (!set.has_member_attributes()) return Bad("malformed attributes");
  if (!IsMember(MemberId(set.member_id()), rules)) return Bad("attributes of an unknown member");
  return absl::OkStatus();
}

// `request` has lost its unknown fields.
absl::Status CheckEnvelope(const InternalRaftRequest& request, const EntryRules& rules) {
  if (!HasOneOperation(request)) return Bad("not exactly one known operation");
  if (request.id() == 0 && !request.has_header()) return Bad("neither header nor id");
  if (!base::IsValidUtf8(request.header().username())) return Bad("text is not UTF-8");
  // Members of this kind have no authentication yet, and stop where they meet it in the log.
  if (NeedsAuth(request)) return Bad("it needs authentication");
  if (request.has_alarm()) return CheckAlarm(request.alarm());
  if (!IsAfterKeys(request)) return absl::OkStatus();
  if (!HasTextInUtf8(request)) return Bad("text is not UTF-8");
  return CheckOfCluster(request, rules);
}

// ---- Membership

bool AreUrls(const std::vector<std::string>& urls) {
  return !urls.empty() && std::ranges::all_of(urls, [](const std::string& url) {
    return config::ParseUrl(url).ok();
  });
}

bool IsLastVoter(MemberId id, const EntryRules& rules) {
  if (rules.appended_to == nullptr) return false;
  return std::ranges::all_of(rules.appended_to->members, [&](const auto& item) {
    return item.second.is_learner || item.first == id;
  });
}

}  // namespace

bool NeedsAuth(const InternalRaftRequest& r) {
  if (r.has_authenticate()) return false;
  return r.has_auth_enable() || r.has_auth_disable() || r.has_auth_user_add() ||
         r.has_auth_user_delete() || r.has_auth_user_change_password() ||
         r.has_auth_user_grant_role() || r.has_auth_user_revoke_role() || r.has_auth_role_add() ||
         r.has_auth_role_delete() || r.has_auth_role_grant_permission() ||
         r.has_auth_role_revoke_permission() || !r.header().username().empty();
}

absl::StatusOr<raft::Payload> CheckRequest(const raft::Payload& data, const EntryRules& rules) {
  if (data.empty()) return Bad("an empty entry");  // only leaders make them
  if (data.size() > rules.bytes_max) return Bad("too large");
  alignas(16) std::array<char, 4096> block;
  google::protobuf::ArenaOptions options;
  options.initial_block = block.data();
  options.initial_block_size = block.size();
  google::protobuf::Arena arena(options);
  auto* request = google::protobuf::Arena::CreateMessage<InternalRaftRequest>(&arena);
  const bool parsed = request->ParseFromArray(data.data(), static_cast<int>(data.size()));
  if (!parsed || !request->v2().empty()) {
    // As Applier::ApplyNormal tells them apart. No etcd writes the wrapped form any more.
    if (parsed && ParseLegacyRequest(request->v2()).has_value()) return Bad("no request");
    const std::optional<LegacyRequest> legacy = ParseLegacyRequest(data);
    if (!legacy.has_value()) return Bad("no request");
    RETURN_IF_ERROR(CheckLegacy(*legacy, rules));
    return data;
  }
  // A field of a known number and the wrong type is unknown here and an error for Go; members that
  // know a field and members that do not would part.
  request->DiscardUnknownFields();
  RETURN_IF_ERROR(CheckEnvelope(*request, rules));
  std::string encoded = request->SerializeAsString();
  if (encoded == data.view()) return data;
  return raft::Payload(std::move(encoded));
}

absl::StatusOr<raft::Payload> CheckConfChange(const raft::Payload& data, const EntryRules& rules) {
  if (data.size() > rules.bytes_max) return Bad("too large");
  absl::StatusOr<raft::ConfChange> change = raftcodec::DecodeConfChange(data);
  if (!change.ok()) return Bad("no configuration change");
  if (change->type > raft::ConfChangeType::kAddLearnerNode) {
    return Bad("unknown type of configuration change");
  }
  const std::uint64_t id = change->node_id.value();
  if (id == 0 || id >= UINT64_MAX - 1) return Bad("reserved member id");  // raft's own
  if (change->type == raft::ConfChangeType::kRemoveNode) {
    if (IsLastVoter(change->node_id, rules)) return Bad("removal of the last voter");
    change->context.clear();
    return raft::Payload(raftcodec::Encode(*change));
  }
  const auto context = membership::DecodeMember(change->context);
  if (!context.ok() || context->member.id != change->node_id) {
    return Bad("malformed context of a configuration change");
  }
  const bool is_promote = context->is_promote && change->type == raft::ConfChangeType::kAddNode;
  if (!is_promote && !AreUrls(context->member.peer_urls)) return Bad("bad peer URLs");
  change->context = is_promote ? membership::EncodePromotion(change->node_id)
                               : membership::EncodeMember(context->member);
  return raft::Payload(raftcodec::Encode(*change));
}

}  // namespace etcd::apply
