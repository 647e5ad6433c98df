#pragma once

#include <string_view>

// Every version number of the product, once.
namespace etcd::config {

// The API level that clients, peers and Kubernetes see.
inline constexpr std::string_view kEtcdVersion = "3.6.16";
// What a one-version-at-a-time upgrade counts with: major.minor.0.
inline constexpr std::string_view kEtcdClusterVersion = "3.6.0";
// Our own release.
inline constexpr std::string_view kOwnVersion = "0.1.0";

}  // namespace etcd::config
