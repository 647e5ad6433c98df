#include "server/main/rebuild_note.h"

#include <array>
#include <charconv>
#include <string_view>

#include <nlohmann/json.hpp>

#include "server/base/status.h"

namespace etcd::server {
namespace {

constexpr const char* kIdentityName = "/identity";
constexpr const char* kNoteName = "/rebuild";
constexpr std::array<const char*, 4> kStates = {"damaged", "asking", "replacing", "joining"};

// The name changes hands only when the content is on disk.
absl::Status WriteWhole(base::FileSystem& file_system, const std::string& dir,
                        const std::string& name, const std::string& text) {
  const std::string path = dir + name;
  const std::string draft = path + ".tmp";
  {
    ASSIGN_OR_RETURN(const auto file, file_system.Open(draft, base::OpenMode::kCreateOrTruncate));
    RETURN_IF_ERROR(file->WriteAt(0, text));
    RETURN_IF_ERROR(file->Sync());
  }
  RETURN_IF_ERROR(file_system.Rename(draft, path));
  return file_system.SyncDir(dir);
}

absl::StatusOr<nlohmann::json> ReadObject(base::FileSystem& file_system, const std::string& path) {
  ASSIGN_OR_RETURN(const auto file, file_system.Open(path, base::OpenMode::kRead));
  ASSIGN_OR_RETURN(const std::uint64_t size, file->Size());
  ASSIGN_OR_RETURN(const std::string text, file->ReadAt(0, size));
  auto json = nlohmann::json::parse(text, nullptr, /*allow_exceptions=*/false);
  if (!json.is_object()) return base::DataLoss(path + " cannot be read");
  return json;
}

std::string Text(const nlohmann::json& object, const char* name) {
  const auto it = object.find(name);
  return it != object.end() && it->is_string() ? it->get<std::string>() : "";
}

std::vector<std::string> Texts(const nlohmann::json& object, const char* name) {
  std::vector<std::string> out;
  const auto it = object.find(name);
  if (it == object.end() || !it->is_array()) return out;
  for (const auto& item : *it) {
    if (item.is_string()) out.push_back(item.get<std::string>());
  }
  return out;
}

// 0 when it is no id.
std::uint64_t Id(const nlohmann::json& object, const char* name) {
  const std::string text = Text(object, name);
  std::uint64_t value = 0;
  std::from_chars(text.data(), text.data() + text.size(), value, 16);
  return value;
}

}  // namespace

std::optional<Identity> ReadIdentity(base::FileSystem& file_system, const std::string& dir) {
  const auto json = ReadObject(file_system, dir + kIdentityName);
  if (!json.ok()) return std::nullopt;
  Identity out{ClusterId(Id(*json, "cluster")), MemberId(Id(*json, "member")),
               Texts(*json, "peerURLs")};
  if (!out.cluster || !out.member) return std::nullopt;
  return out;
}

absl::Status WriteIdentity(base::FileSystem& file_system, const std::string& dir,
                           const Identity& identity) {
  if (ReadIdentity(file_system, dir) == identity) return absl::OkStatus();
  const nlohmann::json json = {{"cluster", base::FormatHex(identity.cluster.value())},
                               {"member", base::FormatHex(identity.member.value())},
                               {"peerURLs", identity.peer_urls}};
  return WriteWhole(file_system, dir, kIdentityName, json.dump() + "\n");
}

absl::StatusOr<std::optional<RebuildNote>> ReadRebuildNote(base::FileSystem& file_system,
                                                           const std::string& dir) {
  if (!file_system.Exists(dir + kNoteName)) return std::nullopt;
  ASSIGN_OR_RETURN(const nlohmann::json json, ReadObject(file_system, dir + kNoteName));
  const std::string state = Text(json, "state");
  for (std::size_t i = 0; i < kStates.size(); ++i) {
    if (state != kStates[i]) continue;
    const auto voter = json.find("voter");
    return RebuildNote{
        static_cast<RebuildNote::State>(i), Text(json, "reason"), MemberId(Id(json, "successor")),
        voter != json.end() && voter->is_boolean() && voter->get<bool>(), Texts(json, "peerURLs")};
  }
  return base::DataLoss(dir + kNoteName + " has no known state");
}

absl::Status WriteRebuildNote(base::FileSystem& file_system, const std::string& dir,
                              const RebuildNote& note) {
  const nlohmann::json json = {{"state", kStates.at(static_cast<std::size_t>(note.state))},
                               {"reason", note.reason},
                               {"successor", base::FormatHex(note.successor.value())},
                               {"voter", note.was_voter},
                               {"peerURLs", note.peer_urls}};
  return WriteWhole(file_system, dir, kNoteName,
                    json.dump(-1, ' ', false, nlohmann::json::error_handler_t::replace) + "\n");
}

absl::Status RemoveRebuildNote(base::FileSystem& file_system, const std::string& dir) {
  if (!file_system.Exists(dir + kNoteName)) return absl::OkStatus();
  RETURN_IF_ERROR(file_system.Remove(dir + kNoteName));
  return file_system.SyncDir(dir);
}

}  // namespace etcd::server
