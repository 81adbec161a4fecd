"""Latents coded position by position, each predicted from those before it: whole batches at once.

Minnen, Ballé, Toderici, "Joint Autoregressive and Hierarchical Priors for Learned Image Compression" (2018). CompressAI
codes one image at a time and, at every position, converts all coding tables anew; its ``forward`` is fast but rounds y
without the mean, so it shows pixels that no decoder gives. Here the loop runs over positions only: at each one, all
images of the batch take the step of the serial encoder, with its arithmetic (``RowWise`` sees to the bits).
"""

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from greycard.codecs.entropy import Decoder
from greycard.codecs.latents import LatentCoder, Quantised
from greycard.layers.batching import Plans, RowWise, make_row_wise

REACH = 2  # positions that the 5x5 context sees to each side


class AutoregressiveCoder(LatentCoder):
    """Raster scan: at each position, context and hyperprior give mean and scale of all channels.

    ``y_hat before (h, w) -> 5x5 masked conv -> cat with h_s(z_hat) at (h, w) -> 1x1 convs -> sigma, mu``;
    ``y_hat = round(y - mu) + mu``, coded position by position, all channels of a position together.
    """

    def __init__(self, network: nn.Module, max_rows: int, plans: Plans) -> None:
        super().__init__(network, max_rows, plans)
        context = self.network.context_prediction
        self._weight: Tensor = (context.weight * context.mask).detach().contiguous()
        self._rows_above: Tensor = self._weight[:, :, : REACH + 1].contiguous()  # the mask leaves nothing below
        self._bias: Tensor = context.bias.detach()
        self._context = RowWise(
            self._context_of_rows,
            faster=(self._context_side_by_side,),
            max_rows=max_rows,
            plans=plans,
            name="context_prediction",
        )
        make_row_wise(self.network.entropy_parameters, max_rows, plans, "entropy_parameters")

    def hyper_input(self, y: Tensor) -> Tensor:
        """Return y itself."""
        return y

    def quantise(self, y: Tensor, params: Tensor) -> Quantised:
        """Quantise position by position, all images at once."""
        q, scales = torch.empty_like(y), torch.empty_like(y)
        y_hat = self._canvas(y)
        for h in range(y.shape[2]):
            for w in range(y.shape[3]):
                sigma, mu = self._predict(y_hat, params, h, w)
                q[:, :, h, w] = torch.round(y[:, :, h, w] - mu)
                scales[:, :, h, w] = sigma
                y_hat[:, :, h + REACH, w + REACH] = q[:, :, h, w] + mu
        return Quantised(q, y_hat[:, :, REACH:-REACH, REACH:-REACH].contiguous(), scales)

    def in_order(self, values: Tensor) -> Tensor:
        """Flatten position by position."""
        return values.permute(0, 2, 3, 1).flatten(1)

    def read_y(self, decoder: Decoder, params: Tensor) -> Tensor:
        """Decode position by position."""
        height, width = params.shape[2:]
        y_hat = self._canvas(params.new_empty(1, int(self.network.M), height, width))
        for h in range(height):
            for w in range(width):
                sigma, mu = self._predict(y_hat, params, h, w)
                symbols = decoder.read(self.indexes(sigma)[0].cpu().numpy())
                y_hat[:, :, h + REACH, w + REACH] = self._tensor(symbols) + mu
        return y_hat[:, :, REACH:-REACH, REACH:-REACH].contiguous()

    def _canvas(self, y: Tensor) -> Tensor:
        """Return zeros for y_hat with a border of ``REACH``."""
        return F.pad(torch.zeros_like(y), (REACH, REACH, REACH, REACH))

    def _predict(self, y_hat: Tensor, params: Tensor, h: int, w: int) -> tuple[Tensor, Tensor]:
        """Return sigma and mu of a position, (N, M) each; y_hat has the border."""
        size = 2 * REACH + 1
        context = self._context(y_hat[:, :, h : h + size, w : w + size].contiguous())
        gaussian = self.network.entropy_parameters(torch.cat((params[:, :, h : h + 1, w : w + 1], context), dim=1))
        sigma, mu = gaussian.flatten(1).chunk(2, 1)
        return sigma, mu

    def _context_of_rows(self, crops: Tensor) -> Tensor:
        """Apply the masked convolution to (N, M, 5, 5) -> (N, 2M, 1, 1)."""
        return F.conv2d(crops, self._weight, self._bias)

    def _context_side_by_side(self, crops: Tensor) -> Tensor:
        """The same as one wide image of N crops, without the rows that the mask hides."""
        count, channels = crops.shape[:2]
        above = crops[:, :, : REACH + 1]
        wide = above.permute(1, 2, 0, 3).reshape(1, channels, REACH + 1, -1)
        out = F.conv2d(wide, self._rows_above, self._bias, stride=(1, 2 * REACH + 1))
        return out.reshape(-1, count).T.reshape(count, -1, 1, 1)
