/**
 * MediaPipe's face mesh in a worker: the tracker of models/tracking/landmarks.py, with the same networks and settings.
 *
 * The package expects a page. In a worker it gets the little of one that it asks for: an element that loads a script and one to
 * draw into. Its pictures are not asked for, only its landmarks, as reading them back takes as long as all else. The networks run on the
 * processor, where they give the numbers that the server's give; the graphics card only cuts the face out.
 */
import { readLandmarks } from "./landmark_list";

declare function importScripts(...addresses: string[]): void;

/** As `FACES` of models/tracking/face_tracker.py: so that a passer-by does not take over. */
const FACES = 2;
/** What the package calls this output. */
const STREAM = "multi_face_landmarks";

interface PackageMesh {
  setOptions(options: Record<string, boolean | number>): void;
  onResults(listener: (results: { faces?: Uint8Array[] }) => void): void;
  initialize(): Promise<void>;
  send(input: { image: OffscreenCanvas | ImageBitmap }): Promise<void>;
}

interface PackageScope {
  FaceMesh: new (config: object) => PackageMesh;
  window: unknown;
  document: unknown;
}

export class Mesh {
  private faces: Uint8Array[] = [];

  private constructor(private readonly mesh: PackageMesh) {
    mesh.onResults((results) => (this.faces = results.faces ?? []));
  }

  /** Loads the package, whose files lie at these addresses, and looks at a first, empty picture, which takes longest. */
  static async load(files: Readonly<Record<string, string>>, lost: () => void): Promise<Mesh> {
    const scope = self as unknown as PackageScope;
    scope.window = self;
    scope.document = pageFor(lost);
    const locateFile = (name: string): string => {
      const address = files[name];
      if (address === undefined) throw new Error(`the face mesh asks for ${name}`);
      return address;
    };
    importScripts(locateFile("face_mesh.js"));
    const outs = { faces: { type: "proto_list", stream: STREAM } };
    const mesh = new scope.FaceMesh({ locateFile, listeners: [{ wants: [STREAM], outs }] });
    // The thresholds are the package's own 0.5, as the server's; to name them breaks its graph.
    mesh.setOptions({ maxNumFaces: FACES, refineLandmarks: true, enableFaceGeometry: false, useCpuInference: true });
    const made = new Mesh(mesh);
    await mesh.initialize();
    await made.look(new OffscreenCanvas(64, 64));
    return made;
  }

  /** x, y, z of the landmarks of each face in parts of the picture's width, height and width. */
  async look(image: OffscreenCanvas | ImageBitmap): Promise<Float32Array[]> {
    if (image instanceof OffscreenCanvas) image.getContext("2d");
    this.faces = [];
    await this.mesh.send({ image });
    return this.faces.map(readLandmarks);
  }
}

/** What the package asks of a document. `lost`: the graphics card is gone. */
function pageFor(lost: () => void): object {
  const script = (): object => {
    const listeners = new Map<string, () => void>();
    const made = {
      src: "",
      listeners,
      setAttribute: (name: string, value: string) => void (name === "src" && (made.src = value)),
      addEventListener: (name: string, listener: () => void) => listeners.set(name, listener),
    };
    return made;
  };
  return {
    createElement(tag: string): object {
      if (tag === "script") return script();
      const canvas = new OffscreenCanvas(1, 1);
      canvas.addEventListener("webglcontextlost", lost);
      return canvas;
    },
    addEventListener: () => undefined,
    body: {
      appendChild({ src, listeners }: { src: string; listeners: Map<string, () => void> }): void {
        importScripts(src);
        listeners.get("load")?.();
      },
    },
  };
}
