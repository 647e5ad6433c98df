#pragma once

#include <cstdint>
#include <string>

#include <absl/status/status.h>
#include <absl/status/statusor.h>

// Small dealings with the operating system that only the process's start needs.
namespace etcd::server {

// The whole file; the message of an error is the system's text alone, in lower case as Go prints
// it ("no such file or directory").
absl::StatusOr<std::string> ReadWholeFile(const std::string& path);

// Address of the interface of the IPv4 default route; "" when there is none.
std::string DefaultRouteHost();

// Tells the service manager in $NOTIFY_SOCKET that the process is ready; OK when there is none.
absl::Status NotifyReady();

// From the kernel: seeds of the generators.
std::uint64_t RandomSeed();

}  // namespace etcd::server
