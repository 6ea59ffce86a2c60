/** How loud a microphone is. No DOM. */
export class LevelMeter {
  private context: AudioContext | null = null;
  private source: MediaStreamAudioSourceNode | null = null;
  private analyser: AnalyserNode | null = null;
  private samples = new Float32Array(1024);

  /** Listens to another track, or to none. */
  listen(track: MediaStreamTrack | null): void {
    this.source?.disconnect();
    this.source = null;
    if (!track) return;
    this.context ??= new AudioContext();
    this.analyser ??= new AnalyserNode(this.context, { fftSize: this.samples.length });
    this.source = this.context.createMediaStreamSource(new MediaStream([track]));
    this.source.connect(this.analyser);
  }

  /** 0 (silence) to 1 (loud speech), on a scale of decibels as ears have it. */
  level(): number {
    if (!this.source || !this.analyser) return 0;
    if (this.context?.state === "suspended") void this.context.resume(); // until the page's first click
    this.analyser.getFloatTimeDomainData(this.samples);
    const power = this.samples.reduce((sum, x) => sum + x * x, 0) / this.samples.length;
    const decibels = 10 * Math.log10(power + 1e-12);
    return Math.min(1, Math.max(0, (decibels + 60) / 48));
  }

  close(): void {
    this.listen(null);
    void this.context?.close();
    this.context = this.analyser = null;
  }
}
