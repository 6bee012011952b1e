"""`vla_ros train` and `vla_ros export`: handed over to training, which needs torch and is imported only then."""

from __future__ import annotations

import typer

from vla_ros.cli.terminal import training_packages

PASS_ON = {'allow_extra_args': True, 'ignore_unknown_options': True}


def train(context: typer.Context) -> None:
    """Train a model, stage by stage; train --help lists the stages."""
    pass_to_training(context.args, 'vla_ros train')


def export(context: typer.Context) -> None:
    """Make a bundle of what was trained: the stage bundle of train."""
    pass_to_training(['bundle', *context.args], 'vla_ros train')


def pass_to_training(arguments: list[str], name: str) -> None:
    """Run a command of training."""
    with training_packages('training'):
        from vla_ros.training.cli import app as training

        command = typer.main.get_command(training)
        command.main(args=arguments, prog_name=name, standalone_mode=False)
