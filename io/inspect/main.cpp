// rewind-inspect: what a checkpoint holds, whether it is sound, and what differs between two.

#include <cerrno>
#include <cstdio>
#include <cstring>
#include <exception>
#include <string>

#include <CLI/CLI.hpp>
#include <fmt/format.h>

#include <rewind/io/error.hpp>
#include <rewind/io/inspect/comparison.hpp>
#include <rewind/io/inspect/description.hpp>
#include <rewind/io/inspect/terminal_text.hpp>
#include <rewind/io/inspect/verification.hpp>
#include <rewind/version.hpp>

namespace {

using namespace rw::inspect;

/// As in diff and cmp.
enum ExitCode { all_is_well = 0, different_or_damaged = 1, trouble = 2 };

struct Request {
  std::string file;
  std::string other;
  bool verify = false;
  bool diff = false;
  bool json = false;
  std::string below;
};

constexpr const char* footer =
    "Examples:\n"
    "  rewind-inspect run.h5                       objects, options, tensors, metadata\n"
    "  rewind-inspect --below model/encoder run.h5 a part of it\n"
    "  rewind-inspect --verify run.h5              every byte of it\n"
    "  rewind-inspect --diff old.h5 new.h5         what differs, by how much\n"
    "  rewind-inspect --json run.h5 | jq -r '.tensors[] | select(.nan > 0) | .path'\n"
    "\n"
    "Exit code:\n"
    "  0  all is well: nothing is damaged, nothing differs\n"
    "  1  the file is damaged or no checkpoint; with --diff, the files differ\n"
    "  2  there is no answer: wrong options, a file that cannot be read, or, with --diff, one\n"
    "     that is damaged\n";

/// Throws CLI::ParseError.
Request parse(CLI::App& app, int argc, const char* const* argv) {
  Request request;
  app.add_option("FILE", request.file, "A checkpoint")->required()->option_text(" ");
  app.add_option("OTHER", request.other, "The file to compare with, for --diff")->option_text(" ");
  app.add_flag("--verify", request.verify,
               "Check every byte against its digest, and that libhdf5 reads the same");
  app.add_flag("--diff", request.diff, "Compare two files");
  app.add_option("--below", request.below, "Only what has this path or lies below it")
      ->type_name("PATH");
  app.add_flag("--json", request.json, "Print JSON");
  app.set_version_flag("--version", "rewind-inspect " REWIND_VERSION);
  app.footer(footer);
  app.parse(argc, argv);
  const auto refuse_if = [](bool wrong, const char* why) {
    if (wrong) {
      throw CLI::ValidationError(why);
    }
  };
  refuse_if(request.verify && request.diff,
            "--verify takes one file, --diff two: give one of them");
  refuse_if(request.verify && !request.below.empty(),
            "--verify checks the whole file: leave out --below");
  refuse_if(request.diff && request.other.empty(), "--diff compares two files, got one");
  refuse_if(!request.diff && !request.other.empty(), "got two files, expected one, or --diff");
  while (request.below.ends_with('/')) {
    request.below.pop_back();
  }
  return request;
}

template <class Result>
void print(const Result& result, bool as_json) {
  // JSON with nothing but ASCII is as harmless to a terminal as printable text.
  fmt::print("{}", as_json
                       ? to_json(result).dump(2, ' ', true, Json::error_handler_t::replace) + '\n'
                       : to_text(result));
}

ExitCode answer(const Request& request) {
  if (request.verify) {
    const Verification verification = verify(request.file);
    print(verification, request.json);
    return verification.faults.empty() ? all_is_well : different_or_damaged;
  }
  if (request.diff) {
    const Comparison comparison = compare(request.file, request.other, request.below);
    print(comparison, request.json);
    return comparison.equal() ? all_is_well : different_or_damaged;
  }
  const Description description = describe(request.file, request.below);
  print(description, request.json);
  return total_of(description.tensors).damaged == 0 ? all_is_well : different_or_damaged;
}

ExitCode fail(const std::string& why, ExitCode code) {
  fmt::print(stderr, "rewind-inspect: {}\n", printable(why));
  return code;
}

}  // namespace

int main(int argc, char** argv) {
  use_utf8();
  CLI::App app(
      "Shows what a checkpoint holds: its objects with their options, its tensors with shape, "
      "type,\n"
      "smallest and largest value, mean, norm and counts of NaN and infinities, and its metadata.",
      "rewind-inspect");
  Request request;
  try {
    request = parse(app, argc, argv);
  } catch (const CLI::ParseError& error) {
    if (error.get_exit_code() == 0) {
      return app.exit(error);
    }
    return fail(error.what() + std::string("; --help shows examples"), trouble);
  }
  const ExitCode unfit = request.diff ? trouble : different_or_damaged;
  try {
    const ExitCode code = answer(request);
    if (std::fflush(stdout) != 0) {
      return fail(fmt::format("cannot write: {}", std::strerror(errno)), trouble);
    }
    return code;
  } catch (const rw::io::CheckpointCorrupt& error) {
    return fail(error.what(), unfit);
  } catch (const rw::io::CheckpointRefused& error) {
    return fail(error.what(), unfit);
  } catch (const std::exception& error) {
    return fail(error.what(), trouble);
  }
}
