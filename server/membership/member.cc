#include "server/membership/member.h"

#include <algorithm>
#include <strings.h>

#include <nlohmann/json.hpp>
#include <openssl/sha.h>

#include "server/base/bytes.h"
#include "server/base/status.h"

namespace etcd::membership {
namespace {

using Json = nlohmann::json;

std::uint64_t FirstBytesOfSha1(std::string_view text) {
  unsigned char digest[SHA_DIGEST_LENGTH];
  SHA1(reinterpret_cast<const unsigned char*>(text.data()), text.size(), digest);
  char head[8];
  std::copy_n(digest, sizeof head, head);
  return base::LoadBigEndian64(head);
}

std::string QuoteList(const std::vector<std::string>& items) {
  std::string out = "[";
  for (const std::string& item : items) {
    if (out.size() > 1) out += ',';
    out += QuoteJson(item);
  }
  return out + "]";
}

// Go matches the names of fields in any case.
const Json* Field(const Json& object, const char* name) {
  for (const auto& [key, value] : object.items()) {
    if (strcasecmp(key.c_str(), name) == 0) return &value;
  }
  return nullptr;
}

bool ReadStrings(const Json& object, const char* name, std::vector<std::string>& out) {
  const Json* field = Field(object, name);
  if (field == nullptr || field->is_null()) return true;
  if (!field->is_array()) return false;
  for (const Json& item : *field) {
    if (!item.is_string()) return false;
    out.push_back(item.get<std::string>());
  }
  return true;
}

bool ReadString(const Json& object, const char* name, std::string& out) {
  const Json* field = Field(object, name);
  if (field == nullptr || field->is_null()) return true;
  if (!field->is_string()) return false;
  out = field->get<std::string>();
  return true;
}

bool ReadBool(const Json& object, const char* name, bool& out) {
  const Json* field = Field(object, name);
  if (field == nullptr || field->is_null()) return true;
  if (!field->is_boolean()) return false;
  out = field->get<bool>();
  return true;
}

bool ReadId(const Json& object, MemberId& out) {
  const Json* field = Field(object, "id");
  if (field == nullptr) return true;
  if (!field->is_number_unsigned()) return false;
  out = MemberId(field->get<std::uint64_t>());
  return true;
}

absl::Status Malformed() {
  return base::MakeStatus(absl::StatusCode::kInvalidArgument, "malformed member JSON");
}

bool ReadMember(const Json& object, Member& out) {
  return object.is_object() && ReadId(object, out.id) &&
         ReadStrings(object, "peerURLs", out.peer_urls) &&
         ReadBool(object, "isLearner", out.is_learner) && ReadString(object, "name", out.name) &&
         ReadStrings(object, "clientURLs", out.client_urls);
}

Json Parse(std::string_view text) {
  return Json::parse(text.begin(), text.end(), nullptr, /*allow_exceptions=*/false);
}

absl::StatusOr<Member> ParseMember(std::string_view text) {
  Member member;
  if (!ReadMember(Parse(text), member)) return Malformed();
  return member;
}

}  // namespace

MemberId MakeMemberId(std::vector<std::string> peer_urls, std::string_view token,
                      std::optional<std::int64_t> unix_seconds) {
  std::sort(peer_urls.begin(), peer_urls.end());
  std::string text;
  for (const std::string& url : peer_urls) text += url;
  text += token;
  if (unix_seconds.has_value()) text += std::to_string(*unix_seconds);
  return MemberId(FirstBytesOfSha1(text));
}

ClusterId MakeClusterId(std::vector<MemberId> ids) {
  std::sort(ids.begin(), ids.end());
  std::string text;
  for (const MemberId id : ids) base::AppendBigEndian64(text, id.value());
  return ClusterId(FirstBytesOfSha1(text));
}

std::string QuoteJson(std::string_view text) {
  // Bytes that are no UTF-8 become U+FFFD, as in Go.
  std::string quoted = Json(std::string(text)).dump(-1, ' ', false, Json::error_handler_t::replace);
  std::string out;
  for (const char c : quoted) {
    switch (c) {
      case '<':
        out += "\\u003c";
        break;
      case '>':
        out += "\\u003e";
        break;
      case '&':
        out += "\\u0026";
        break;
      default:
        out += c;
    }
  }
  return out;
}

std::string EncodeMember(const Member& member) {
  std::string out = "{\"id\":" + std::to_string(member.id.value()) +
                    ",\"peerURLs\":" + QuoteList(member.peer_urls);
  if (member.is_learner) out += ",\"isLearner\":true";
  if (!member.name.empty()) out += ",\"name\":" + QuoteJson(member.name);
  if (!member.client_urls.empty()) out += ",\"clientURLs\":" + QuoteList(member.client_urls);
  return out + "}";
}

std::string EncodePromotion(MemberId id) {
  return "{\"id\":" + std::to_string(id.value()) + ",\"peerURLs\":null,\"isPromote\":true}";
}

absl::StatusOr<ConfChangeContext> DecodeMember(std::string_view json) {
  ConfChangeContext context;
  const Json object = Parse(json);
  if (!ReadMember(object, context.member) || !ReadBool(object, "isPromote", context.is_promote)) {
    return Malformed();
  }
  return context;
}

std::string EncodeMembers(const View& view) {
  std::string out = "[";
  for (const auto& [id, member] : view.members) {
    if (out.size() > 1) out += ',';
    out += EncodeMember(member);
  }
  return out + "]";
}

absl::StatusOr<std::vector<Member>> DecodeMembers(std::string_view json) {
  const Json array = Parse(json);
  if (!array.is_array()) return Malformed();
  std::vector<Member> out(array.size());
  for (std::size_t i = 0; i < array.size(); ++i) {
    if (!ReadMember(array[i], out[i])) return Malformed();
  }
  return out;
}

std::string EncodeAttributes(const Member& member) {
  std::string out = "{";
  if (!member.name.empty()) out += "\"name\":" + QuoteJson(member.name);
  if (!member.client_urls.empty()) {
    if (out.size() > 1) out += ',';
    out += "\"clientURLs\":" + QuoteList(member.client_urls);
  }
  return out + "}";
}

absl::StatusOr<Member> DecodeAttributes(std::string_view json) { return ParseMember(json); }

std::string EncodeRaftAttributes(const Member& member) {
  std::string out = "{\"peerURLs\":" + QuoteList(member.peer_urls);
  if (member.is_learner) out += ",\"isLearner\":true";
  return out + "}";
}

absl::StatusOr<Member> DecodeRaftAttributes(std::string_view json) { return ParseMember(json); }

}  // namespace etcd::membership
