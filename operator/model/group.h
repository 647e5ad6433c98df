// Generated from operator/api/group.yaml by operator/api/generate.py; do not edit.

#pragma once

#include <string_view>

namespace etcd::model {

// Names in Kubernetes, each only here.
inline constexpr std::string_view kGroup = "etcdpp.dev";
inline constexpr std::string_view kVersion = "v1alpha1";
inline constexpr std::string_view kApiVersion = "etcdpp.dev/v1alpha1";
// Field manager, value of managed-by, and name in events.
inline constexpr std::string_view kManager = "etcd-operator";

}  // namespace etcd::model
