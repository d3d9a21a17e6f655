"""The first step of a round: the newest checkpoint proposes, on new frames and for what nobody decided about."""

from dataclasses import replace

from maskwright.core.errors import UnsupportedPrompt
from maskwright.datasets.image_folder import CAMERA as LOOSE_CAMERA
from maskwright.models import Model, load_model
from maskwright.models.sam.model import SamModel
from maskwright.store import MaskStore, open_store
from maskwright.workflows.loop.call import Call, timed
from maskwright.workflows.loop.propose import ProposedAgain, propose_again, propose_new
from maskwright.workflows.loop.rounds import Round


def step_propose(call: Call, one: Round) -> None:
    """Propose, and write the round. What was proposed before a kill is not proposed twice.

    Raises:
        ModelError: the checkpoint is not there, or cannot be fine-tuned, which is told before people have worked.
        InputError, StoreError: the pictures or the store cannot be read, or the store not be written.
    """
    with timed() as took:
        model = load_model(one.proposer, device=call.around.device)
        if not isinstance(model, SamModel) or model.card.computed_as:
            raise UnsupportedPrompt(
                f"{one.proposer} cannot be fine-tuned, so no loop turns. Take tiny, vit_b, vit_t or hq_vit_b"
            )
        num_frames, num_masks = _new(call, model)
        again = _again(call, one, model)
        with open_store(call.path, read_only=True) as store:
            notes = [*one.notes, *_few_episodes(store, has_test=call.settings.test is not None)]
    if num_frames:
        call.says(one, f"{num_masks} masks proposed on {num_frames} new frames")
    if again.num_replaced:
        call.says(one, f"{again.num_replaced} proposals made again by {one.proposer}")
    if again.unreadable:
        notes.append(f"{len(again.unreadable)} pictures could not be asked again; the first: {again.unreadable[0]}")
    for note in notes:
        call.says(one, f"note: {note}")
    call.book.write(
        replace(
            one,
            stage="choose",
            proposer_sha256=model.checkpoint_sha256,
            num_frames=num_frames + again.num_frames,
            num_proposed=num_masks,
            num_replaced=again.num_replaced,
            machine_s=one.machine_s + took[0],
            notes=tuple(notes),
        )
    )


def _new(call: Call, model: Model) -> tuple[int, int]:
    if call.settings.source is None:
        return 0, 0
    found = propose_new(
        call.path,
        model,
        call.settings.source,
        text=call.settings.text,
        told=call.around.told,
        clock=call.around.clock,
    )
    return found.num_frames, found.num_masks


def _again(call: Call, one: Round, model: Model) -> ProposedAgain:
    """Ask again where the checkpoint is newer than the proposals; the first round takes what is there."""
    if not one.is_new_proposer:
        return ProposedAgain()
    return propose_again(
        call.path,
        model,
        f"loop-{one.number:04d}-{model.checkpoint_sha256[:8]}",
        number=one.number,
        at=one.began_at,
        images=call.settings.images,
        told=call.around.told,
    )


def _few_episodes(store: MaskStore, *, has_test: bool) -> list[str]:
    """Warn before people have worked, and not after, where nothing can be held out."""
    episodes: set[tuple[str, str]] = set()
    for frame in store.seen_frames():
        if frame.ref is None or frame.ref.camera == LOOSE_CAMERA:
            return []  # pictures of no recording are episodes of their own
        episodes.add((frame.ref.dataset, frame.ref.episode))
    wanted = 2 if has_test else 3
    if not episodes or len(episodes) >= wanted:
        return []
    return [
        f"training holds whole episodes out and needs {wanted}; the store has {len(episodes)}. Add recordings"
        + ("" if has_test else ", or name held-out data with --test")
    ]


__all__ = ["step_propose"]
