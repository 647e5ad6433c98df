#pragma once

#include <string>
#include <string_view>

#include "operator/model/cluster.h"

namespace etcd::desired {

// "registry:5000/a/b:tag@sha256:...", taken apart. A colon in the registry's part is a port.
struct ImageReference {
  std::string repository{}, tag{}, digest{};
};
ImageReference ParseImage(std::string_view text);

// The image of a cluster's members: what the spec leaves out comes from the operator's default. A
// digest wins over a tag; the tag of a spec with a version is "v<version>".
std::string ServerImage(const model::EtcdClusterSpec& spec, std::string_view default_image);

// The version that the members shall have, as far as the spec or the tag say; otherwise empty.
std::string TargetVersion(const model::EtcdClusterSpec& spec, std::string_view default_image);

}  // namespace etcd::desired
