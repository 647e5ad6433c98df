#include <algorithm>
#include <cerrno>
#include <cstdint>
#include <cstring>
#include <fcntl.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>
#include <utility>

#include <fmt/format.h>

#include "server/base/status.h"
#include "server/config/log_output.h"

// The journal's native protocol: one datagram an entry, a line "NAME=value" a field. A value with
// a newline in it is "NAME" LF, its length as u64 little endian, the value, LF.
namespace etcd::config {
namespace {

// syslog's numbers.
int PriorityOf(base::LogLevel level) {
  switch (level) {
    case base::LogLevel::kDebug:
      return 7;
    case base::LogLevel::kInfo:
      return 6;
    case base::LogLevel::kWarn:
      return 4;
    case base::LogLevel::kError:
      return 3;
    case base::LogLevel::kFatal:
      return 2;
  }
  return 6;
}

// "server/node/node.cc" -> "node".
std::string_view PackageOf(std::string_view file) {
  const std::size_t last = file.rfind('/');
  if (last == std::string_view::npos) return ".";
  const std::string_view folder = file.substr(0, last);
  const std::size_t before = folder.rfind('/');
  return before == std::string_view::npos ? folder : folder.substr(before + 1);
}

void AppendField(std::string& out, std::string_view name, std::string_view value) {
  out += name;
  if (value.find('\n') == std::string_view::npos) {
    out += '=';
  } else {
    out += '\n';
    for (std::uint64_t i = 0, size = value.size(); i < 8; ++i, size >>= 8) {
      out += static_cast<char>(size & 0xff);
    }
  }
  out += value;
  out += '\n';
}

// What does not fit a datagram travels as a sealed file.
bool SendAsFile(int socket, const std::string& entry) {
  const int file = memfd_create("journal-entry", MFD_CLOEXEC | MFD_ALLOW_SEALING);
  if (file < 0) return false;
  WriteToFd(file, entry);
  bool sent =
      fcntl(file, F_ADD_SEALS, F_SEAL_SEAL | F_SEAL_SHRINK | F_SEAL_GROW | F_SEAL_WRITE) == 0;
  alignas(cmsghdr) char control[CMSG_SPACE(sizeof(int))] = {};
  msghdr message{};
  message.msg_control = control;
  message.msg_controllen = sizeof control;
  cmsghdr* const head = CMSG_FIRSTHDR(&message);
  head->cmsg_level = SOL_SOCKET;
  head->cmsg_type = SCM_RIGHTS;
  head->cmsg_len = CMSG_LEN(sizeof(int));
  std::memcpy(CMSG_DATA(head), &file, sizeof file);
  sent = sent && sendmsg(socket, &message, MSG_NOSIGNAL) >= 0;
  close(file);
  return sent;
}

class JournalOutput final : public LogOutput {
 public:
  explicit JournalOutput(int socket) : socket_(socket) {}
  ~JournalOutput() override { close(socket_); }
  JournalOutput(const JournalOutput&) = delete;
  JournalOutput& operator=(const JournalOutput&) = delete;

  void Write(const base::LogRecord& record, std::string_view line) override {
    std::string entry;
    AppendField(entry, "PRIORITY", std::to_string(PriorityOf(record.level)));
    AppendField(entry, "PACKAGE", PackageOf(record.where.file_name()));
    AppendField(entry, "SYSLOG_IDENTIFIER", program_invocation_short_name);
    AppendField(entry, "MESSAGE", line.substr(0, line.size() - (line.ends_with('\n') ? 1 : 0)));
    if (send(socket_, entry.data(), entry.size(), MSG_NOSIGNAL) >= 0) return;
    const bool too_large = errno == EMSGSIZE || errno == ENOBUFS;
    if (!too_large || !SendAsFile(socket_, entry)) WriteToFd(STDERR_FILENO, line);
  }

 private:
  const int socket_;
};

// As Go spells it: "no such file or directory".
std::string GoErrorText(int error) {
  std::string text = std::strerror(error);
  if (!text.empty() && text[0] >= 'A' && text[0] <= 'Z') {
    text[0] = static_cast<char>(text[0] - 'A' + 'a');
  }
  return text;
}

}  // namespace

absl::StatusOr<std::unique_ptr<LogOutput>> OpenJournalOutput(const std::string& socket_path) {
  sockaddr_un address{};
  address.sun_family = AF_UNIX;
  const int fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0);
  int error = fd < 0 ? errno : 0;
  if (error == 0) {
    // A journal that does not read must not stop the server.
    const timeval patience{.tv_sec = 1, .tv_usec = 0};
    setsockopt(fd, SOL_SOCKET, SO_SNDTIMEO, &patience, sizeof patience);
    socket_path.copy(address.sun_path, sizeof address.sun_path - 1);
    if (connect(fd, reinterpret_cast<const sockaddr*>(&address), sizeof address) != 0) {
      error = errno;
    }
  }
  if (error == 0) return std::make_unique<JournalOutput>(fd);
  if (fd >= 0) close(fd);
  return base::MakeStatus(absl::StatusCode::kInternal,
                          fmt::format("can't find journal (dial unixgram {}: connect: {})",
                                      socket_path, GoErrorText(error)));
}

}  // namespace etcd::config
