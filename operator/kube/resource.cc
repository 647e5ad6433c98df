#include "operator/kube/resource.h"

#include <fmt/format.h>

namespace etcd::kube {
namespace {

// RFC 3986: all but the unreserved characters.
std::string PercentEncode(std::string_view text) {
  std::string out;
  for (const char c : text) {
    const bool is_plain = (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') ||
                          (c >= '0' && c <= '9') || c == '-' || c == '.' || c == '_' || c == '~';
    if (is_plain) {
      out += c;
    } else {
      out += fmt::format("%{:02X}", static_cast<unsigned char>(c));
    }
  }
  return out;
}

}  // namespace

std::string ApiVersionOf(const Resource& resource) {
  if (resource.group.empty()) return std::string(resource.version);
  return fmt::format("{}/{}", resource.group, resource.version);
}

std::string PathOf(const Resource& resource, const ObjectKey& key, std::string_view sub) {
  std::string path = resource.group.empty()
                         ? fmt::format("/api/{}", resource.version)
                         : fmt::format("/apis/{}/{}", resource.group, resource.version);
  if (resource.is_namespaced && !key.ns.empty()) path += "/namespaces/" + PercentEncode(key.ns);
  path += fmt::format("/{}", resource.plural);
  if (!key.name.empty()) path += "/" + PercentEncode(key.name);
  if (!sub.empty()) path += "/" + PercentEncode(sub);
  return path;
}

std::string QueryOf(const std::vector<std::pair<std::string_view, std::string>>& parameters) {
  std::string query;
  for (const auto& [name, value] : parameters) {
    query += query.empty() ? '?' : '&';
    query += PercentEncode(name) + "=" + PercentEncode(value);
  }
  return query;
}

}  // namespace etcd::kube
