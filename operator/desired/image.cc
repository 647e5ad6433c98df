#include "operator/desired/image.h"

#include <algorithm>
#include <cctype>

namespace etcd::desired {

ImageReference ParseImage(std::string_view text) {
  ImageReference image;
  if (const std::size_t at = text.find('@'); at != std::string_view::npos) {
    image.digest = text.substr(at + 1);
    text = text.substr(0, at);
  }
  const std::size_t colon = text.rfind(':');
  const std::size_t slash = text.rfind('/');
  const bool has_tag =
      colon != std::string_view::npos && (slash == std::string_view::npos || colon > slash);
  if (has_tag) image.tag = text.substr(colon + 1);
  image.repository = has_tag ? text.substr(0, colon) : text;
  return image;
}

std::string ServerImage(const model::EtcdClusterSpec& spec, std::string_view default_image) {
  const ImageReference fallback = ParseImage(default_image);
  const model::Image wanted = spec.image.value_or(model::Image{});
  const bool is_own = wanted.repository.has_value();
  const std::string repository = wanted.repository.value_or(fallback.repository);
  if (wanted.digest.has_value()) return repository + "@" + *wanted.digest;
  if (wanted.tag.has_value()) return repository + ":" + *wanted.tag;
  if (spec.version.has_value()) return repository + ":v" + *spec.version;
  if (!is_own && !fallback.digest.empty()) return repository + "@" + fallback.digest;
  return repository + ":" + (fallback.tag.empty() ? "latest" : fallback.tag);
}

std::string TargetVersion(const model::EtcdClusterSpec& spec, std::string_view default_image) {
  if (spec.version.has_value()) return *spec.version;
  const std::string tag = ParseImage(ServerImage(spec, default_image)).tag;
  const bool is_version = tag.size() > 1 && tag[0] == 'v' &&
                          std::all_of(tag.begin() + 1, tag.end(), [](unsigned char c) {
                            return std::isdigit(c) != 0 || c == '.';
                          });
  return is_version ? tag.substr(1) : std::string();
}

}  // namespace etcd::desired
