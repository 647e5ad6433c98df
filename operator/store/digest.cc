#include "operator/store/digest.h"

#include <algorithm>
#include <charconv>

#include "operator/store/sigv4.h"
#include "server/base/sha256.h"
#include "server/base/status.h"

namespace etcd::store {
namespace {
constexpr std::uint64_t kPieceBytes = 256 * 1024;
}

absl::StatusOr<std::string> Sha256OfRange(const base::File& file, std::uint64_t offset,
                                          std::uint64_t size) {
  base::Sha256 hash;
  while (size > 0) {
    const std::uint64_t wanted = std::min(size, kPieceBytes);
    ASSIGN_OR_RETURN(const std::string piece, file.ReadAt(offset, wanted));
    if (piece.size() != wanted) return base::DataLoss("the file became shorter");
    hash.Add(piece);
    offset += wanted;
    size -= wanted;
  }
  return HexOf(hash.Finish());
}

bool ParseSize(std::string_view text, std::uint64_t& size) {
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), size);
  return error == std::errc() && end == text.data() + text.size();
}

}  // namespace etcd::store
