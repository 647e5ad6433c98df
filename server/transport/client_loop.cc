#include "server/transport/client_loop.h"

#include <algorithm>
#include <utility>
#include <vector>

#include "server/transport/connection.h"

namespace etcd::transport {
namespace {

constexpr std::size_t kReadBytes = 64 * 1024;

}  // namespace

ClientLoop::ClientLoop(std::size_t half_open_max)
    : Loop(kReadBytes), half_open_max_(std::max<std::size_t>(half_open_max, 1)) {}

void ClientLoop::Add(std::shared_ptr<Connection> connection) {
  connections_.insert(std::move(connection));
}

void ClientLoop::Remove(const std::shared_ptr<Connection>& connection) {
  connections_.erase(connection);
}

void ClientLoop::AddHalfOpen(Connection* connection) {
  if (half_open_.size() >= half_open_max_) half_open_.front()->Close();
  half_open_.push_back(connection);
}

void ClientLoop::RemoveHalfOpen(Connection* connection) { half_open_.remove(connection); }

void ClientLoop::ForEachConnection(absl::FunctionRef<void(Connection&)> visit) {
  const std::vector<std::shared_ptr<Connection>> all(connections_.begin(), connections_.end());
  for (const auto& connection : all) visit(*connection);
}

}  // namespace etcd::transport
