#include <cstdint>
#include <string>
#include <string_view>

#include "bench/load/closed_loop.h"
#include "bench/load/requests.h"
#include "bench/load/wire_reader.h"
#include "bench/load/workload.h"

namespace etcd::bench {
namespace {

// `total` full reads of all keys, each in several messages.
class ListRun final : public ClosedLoop {
 public:
  explicit ListRun(const Options& options)
      : ClosedLoop(options), by_stream_(options.workload == "range-stream") {}

 private:
  void Start(Connection& connection, Time begin) override {
    if (!by_stream_) return Page(connection, begin, "k", 0);
    connection.CallStream(
        kRangeStream, RangeRequest("k", {.end = kToEnd}),
        [this](std::string_view message) { Received(message); },
        [this, &connection, begin](const Connection::Trailer& trailer, std::string_view) {
          Finish(connection, begin, trailer.status);
        });
  }

  // Reads the page from `first` on, at the revision of the first page, as a paging client does.
  void Page(Connection& connection, Time begin, std::string_view first, std::int64_t revision) {
    connection.Call(
        kRange,
        RangeRequest(first, {.end = kToEnd, .limit = options().limit, .revision = revision}),
        [this, &connection, begin, revision](const Connection::Trailer& trailer,
                                             std::string_view message) {
          Received(message);
          const bool more = VarintOf(message, 3) != 0;
          if (trailer.status != 0 || !more) {
            Finish(connection, begin, trailer.status);
            return;
          }
          std::string next(BytesOf(BytesOf(message, 2), 1));  // the last key
          next.push_back('\0');
          Page(connection, begin, next, revision == 0 ? RevisionOf(message) : revision);
        });
  }

  const bool by_stream_;
};

}  // namespace

Outcome RunLists(const Options& options) { return ListRun(options).Run(); }

}  // namespace etcd::bench
