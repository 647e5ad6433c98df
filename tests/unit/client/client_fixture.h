#pragma once

#include <chrono>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "client/client.h"
#include "server/base/check.h"

namespace etcd::client {

// Longer than any test takes: a call that ends by it has failed.
inline constexpr std::chrono::seconds kPatience{60};

inline std::unique_ptr<Client> ClientOf(std::vector<std::string> endpoints,
                                        std::chrono::milliseconds timeout = kPatience) {
  Config config;
  config.endpoints = std::move(endpoints);
  config.call_timeout = timeout;
  auto client = Client::Create(std::move(config));
  CHECK_OK(client.status());
  return *std::move(client);
}

inline PutRequest SomePut() {
  PutRequest request;
  request.key = "a";
  request.value = "1";
  return request;
}

}  // namespace etcd::client
