#include "server/node/joined.h"

#include <charconv>
#include <utility>

#include <nlohmann/json.hpp>

#include "server/base/log.h"
#include "server/base/status.h"
#include "server/membership/member.h"

namespace etcd::node {
namespace {

constexpr const char* kName = "/joined.json";

// {"clusterID":"1f","id":"2","version":"3.6.0","members":[...]}
std::string Encode(const JoinedCluster& cluster) {
  membership::View view;
  for (const membership::Member& member : cluster.members) view.members[member.id] = member;
  return "{\"clusterID\":\"" + base::FormatHex(cluster.id.value()) + "\",\"id\":\"" +
         base::FormatHex(cluster.own_id.value()) +
         "\",\"version\":" + membership::QuoteJson(cluster.version) +
         ",\"members\":" + membership::EncodeMembers(view) + "}\n";
}

bool ReadHex(const nlohmann::json& json, const char* name, std::uint64_t& out) {
  const auto it = json.find(name);
  if (it == json.end() || !it->is_string()) return false;
  const std::string& text = it->get_ref<const std::string&>();
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), out, 16);
  return error == std::errc() && end == text.data() + text.size();
}

std::optional<JoinedCluster> Decode(const std::string& text) {
  const auto json = nlohmann::json::parse(text, nullptr, /*allow_exceptions=*/false);
  if (!json.is_object()) return std::nullopt;
  std::uint64_t id = 0;
  std::uint64_t own_id = 0;
  const auto version = json.find("version");
  const auto members = json.find("members");
  if (!ReadHex(json, "clusterID", id) || !ReadHex(json, "id", own_id) || version == json.end() ||
      !version->is_string() || members == json.end()) {
    return std::nullopt;
  }
  auto decoded = membership::DecodeMembers(members->dump());
  if (!decoded.ok()) return std::nullopt;
  return JoinedCluster{ClusterId(id), MemberId(own_id), *std::move(decoded),
                       version->get<std::string>()};
}

}  // namespace

absl::Status SaveJoined(base::FileSystem& file_system, const std::string& dir,
                        const JoinedCluster& cluster) {
  const std::string temporary = dir + "/tmp-joined.json";
  ASSIGN_OR_RETURN(auto file, file_system.Open(temporary, base::OpenMode::kCreateOrTruncate));
  RETURN_IF_ERROR(file->WriteAt(0, Encode(cluster)));
  RETURN_IF_ERROR(file->Sync());
  RETURN_IF_ERROR(file_system.Rename(temporary, dir + kName));
  return file_system.SyncDir(dir);
}

absl::StatusOr<std::optional<JoinedCluster>> LoadJoined(base::FileSystem& file_system,
                                                        const std::string& dir) {
  const std::string path = dir + kName;
  if (!file_system.Exists(path)) return std::optional<JoinedCluster>();
  ASSIGN_OR_RETURN(const auto file, file_system.Open(path, base::OpenMode::kRead));
  ASSIGN_OR_RETURN(const std::uint64_t size, file->Size());
  ASSIGN_OR_RETURN(const std::string text, file->ReadAt(0, size));
  std::optional<JoinedCluster> cluster = Decode(text);
  if (!cluster.has_value()) LOG_WARN("ignored an unreadable file", {"path", path});
  return cluster;
}

absl::Status RemoveJoined(base::FileSystem& file_system, const std::string& dir) {
  return file_system.Remove(dir + kName);
}

}  // namespace etcd::node
